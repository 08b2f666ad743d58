"""The sweep file: how it is read, checked, printed and allowed to change."""
