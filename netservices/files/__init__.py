"""The file trees that FTP, HTTP and WebDAV share: plain files on disk, below roots that
nothing leaves, replaced in one step, counted against quotas.

``service.Files`` has the trees; ``tree.FileTree`` is one user's view of one of them;
``upload`` tells how octets become a file, ``beneath`` how paths stay inside.
"""
