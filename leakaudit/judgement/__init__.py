"""The judgement: from finished cells to findings, verdicts, the answer and the record."""
