"""The plan: the configuration, and the cells that answer it. Nothing here runs one."""
