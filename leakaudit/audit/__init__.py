"""The audit: plans what was asked, runs what is missing, has it judged, writes the record.

:func:`.from_file.audit_file` runs the audit that a file asks for; :func:`.run.run_audit` and
:func:`.run.attack_trace` one that is already read.
"""
