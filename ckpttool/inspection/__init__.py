"""The listing of a checkpoint (`ckpttool ls`) and its description (`ckpttool info`)."""
