"""The formats of exported releases: a zip file that is read back, and a repository of git.

Pure: files and records in and out, no database. Modules import in one direction: faults, fields,
front_matter, names, records, manifest, zip_writer, zip_reader, checking; packs, git_bundle.
"""
