"""HDF5, read safely: the one way into HDF5 files that ckpttool has.

Metadata is parsed here, in Python, because libhdf5 crashes and hangs on hostile files and importing h5py costs more
than listing most checkpoints. Contiguous values are read by offset; only chunked and compressed values go to h5py, in a
child process with limits on memory, time and open files.
"""
