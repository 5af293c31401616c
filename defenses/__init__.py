"""The defenses that ship with leakaudit, one file each; found through entry points."""
