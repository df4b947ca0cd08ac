"""What `ckpttool ls` and `ckpttool info` show."""
