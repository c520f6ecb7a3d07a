-- Nobody asks which topics have an archive: what is swept is looked for among the publications.
DROP INDEX topics_with_archive;
