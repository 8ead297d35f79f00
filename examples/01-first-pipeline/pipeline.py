"""Recognise handwritten digits: prepare the data, train three models side by side, keep the best one.

Everything here is the Kubeflow Pipelines SDK as its documentation teaches it; nothing knows Sampan. The data are the
1,797 images that ship with scikit-learn.
"""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Metrics, Model, Output

IMAGE = "python:3.11"
PACKAGES = ["scikit-learn==1.7.2", "joblib==1.5.2"]


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def prepare(test_share: float, seed: int, train_set: Output[Dataset], test_set: Output[Dataset]):
    """Splits the digits into a set to learn from and a set to be judged by."""
    import joblib
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        digits.data, digits.target, test_size=test_share, random_state=seed, stratify=digits.target
    )
    for dataset, x, y in ((train_set, x_train, y_train), (test_set, x_test, y_test)):
        joblib.dump((x, y), dataset.path)
        dataset.metadata["images"] = len(y)
    print(f"{len(y_train)} images to learn from, {len(y_test)} to be judged by")


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def train(
    algorithm: str, seed: int, train_set: Input[Dataset], model: Output[Model], metrics: Output[Metrics]
):
    """Fits one model and says how well it does on images it has not seen (five-fold cross-validation)."""
    import joblib
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = joblib.load(train_set.path)
    estimator = {
        "logistic-regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "random-forest": RandomForestClassifier(n_estimators=200, random_state=seed),
        "support-vectors": make_pipeline(StandardScaler(), SVC(C=10, random_state=seed)),
    }[algorithm]
    score = float(cross_val_score(estimator, x, y, cv=5).mean())
    joblib.dump(estimator.fit(x, y), model.path)
    model.metadata["framework"] = "scikit-learn"
    model.metadata["algorithm"] = algorithm
    metrics.log_metric("cross_validation_accuracy", round(score, 4))
    print(f"{algorithm}: {score:.4f}")


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def evaluate(
    test_set: Input[Dataset],
    models: Input[list[Model]],
    confusion: Output[ClassificationMetrics],
    best: Output[Model],
) -> NamedTuple("Verdict", [("winner", str), ("accuracy", float)]):
    """Judges all models on the test set; the best one's confusion matrix is kept."""
    import shutil

    import joblib
    from sklearn.metrics import accuracy_score, confusion_matrix

    x, y = joblib.load(test_set.path)
    scored = []
    for model in models:
        predicted = joblib.load(model.path).predict(x)
        scored.append((float(accuracy_score(y, predicted)), model, predicted))
        print(f"{model.metadata['algorithm']}: {scored[-1][0]:.4f}")
    accuracy, winner, predicted = max(scored, key=lambda entry: entry[0])

    confusion.log_confusion_matrix(
        [str(digit) for digit in range(10)], confusion_matrix(y, predicted).tolist()
    )
    shutil.copyfile(winner.path, best.path)
    best.metadata.update(winner.metadata, test_accuracy=round(accuracy, 4))
    return (winner.metadata["algorithm"], round(accuracy, 4))


@dsl.component(base_image=IMAGE)
def publish(candidate: Input[Model], name: str, accuracy: float, model: Output[Model]):
    """Writes the winning model under its public name."""
    import shutil

    shutil.copyfile(candidate.path, model.path)
    model.metadata.update(candidate.metadata, published_as=name)
    print(f"{name}: {candidate.metadata['algorithm']} with {accuracy:.2%} of the test images right")


@dsl.component(base_image=IMAGE)
def reject(accuracy: float, wanted: float) -> str:
    """Says why nothing is published."""
    return f"the best model reached {accuracy:.2%}, wanted are {wanted:.2%}"


@dsl.pipeline(
    name="first-pipeline", description="Train three models on handwritten digits and keep the best."
)
def first_pipeline(test_share: float = 0.25, wanted_accuracy: float = 0.95, seed: int = 7):
    data = prepare(test_share=test_share, seed=seed)
    with dsl.ParallelFor(
        ["logistic-regression", "random-forest", "support-vectors"], name="candidates"
    ) as name:
        trained = train(algorithm=name, seed=seed, train_set=data.outputs["train_set"])
    verdict = evaluate(test_set=data.outputs["test_set"], models=dsl.Collected(trained.outputs["model"]))
    with dsl.If(verdict.outputs["accuracy"] >= wanted_accuracy, name="good-enough"):
        publish(candidate=verdict.outputs["best"], name="digits", accuracy=verdict.outputs["accuracy"])
    with dsl.Else(name="not-good-enough"):
        reject(accuracy=verdict.outputs["accuracy"], wanted=wanted_accuracy)
