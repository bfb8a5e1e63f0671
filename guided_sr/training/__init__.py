"""Training: subjects, patches, augmentation, schedule, stages."""
