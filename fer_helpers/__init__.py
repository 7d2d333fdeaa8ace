"""Data, faces, models, training, evaluation and reports of the study; no module here knows a paper.

Data flows one way, and a module knows only what stands to its left:

    folders on disk -> datasets -> images, faces, splits -> models -> training -> evaluation -> results -> plots, report
"""
