"""A result: whether OUT may be written, by one process at a time, and a name only for what is whole.

    OUT.partial         what is being written: a file, or a folder
    OUT.partial.json    the journal of an interrupted run (``zoo.run.file_run.Journal``)
    OUT.partial.lock    held while a process writes OUT (``sole_writer``)
    OUT.run.json        how OUT was made (``write_run_record``)

Every command calls ``check_out`` before its work and writes to the path that it returns. A link given as OUT is
followed first: its target is written, the link stays, and all of the above lie beside the target.

Nothing is flushed to the disk by force (``fsync``): a process that dies, however it dies, leaves no half file under a
final name; after a power cut it is up to the file system.
"""
