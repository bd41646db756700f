"""The papers, one page each; the folder is the registry."""
