"""The rules of the audit, one per file; a file here registers itself and needs no other edit."""
