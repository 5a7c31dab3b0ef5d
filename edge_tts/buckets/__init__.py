"""Objects in a bucket: of S3, Google or Azure, or a folder that serves as one.

Read `bucket` (what is asked of any of them), `folder_bucket`, `credentials`, `abandonable` (for a disk that hangs).
"""
