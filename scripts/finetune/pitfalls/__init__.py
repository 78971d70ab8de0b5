"""Five pitfalls of machine learning in genomics, each shown on real data, and the guard of ``zoo finetune`` at work.

    python -m scripts.finetune.pitfalls --data ../shared/data -o FOLDER

After Whalen, Schreiber, Noble & Pollard 2022, "Navigating the pitfalls of applying machine learning in genomics"
(doi:10.1038/s41576-021-00434-9). ``distributions``, ``dependence``, ``confounding``, ``leakage`` and ``imbalance`` are
a module each with one function, ``show(data) -> Pitfall``; ``real`` reads the data, ``small`` holds the models,
``guard`` runs what refuses, ``page`` and ``figure`` write the pages. Nothing is typed in: each number, error and note
is what came out of the run that wrote the page.
"""
