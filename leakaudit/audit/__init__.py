"""The audit: plans what was asked, runs what is missing, has it judged, writes the record."""
