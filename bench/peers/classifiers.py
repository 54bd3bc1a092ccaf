"""scikit-learn's classifiers on features of an .npz file: seconds to fit, objective and accuracy, beside `Graft.Benchmarks classifiers`.

    python3 classifiers.py FEATURES.npz [NAME...]        arrays x_train, y_train, x_test, y_test

Each classifier is fitted with its default stopping rule and, where it has an optimum, once more to a tighter one. The standardised
features are float64, and float32 too where scikit-learn computes in it. Seconds are the best of 3 and include standardisation.
"""
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

warnings.simplefilter("ignore")


def logistic_objective(model, x, y):
    z = x @ model.coef_.T.astype(np.float64) + model.intercept_
    top = z.max(1)
    loss = top + np.log(np.exp(z - top[:, None]).sum(1)) - z[np.arange(len(y)), y]
    return loss.sum() + 0.5 * (model.coef_.astype(np.float64) ** 2).sum()


def hinge_objective(model, x, y):
    z = x @ model.coef_.T + model.intercept_
    signs = np.where(y[:, None] == model.classes_, 1, -1)
    return (np.maximum(0, 1 - signs * z) ** 2).sum() + 0.5 * (model.coef_ ** 2).sum() + 0.5 * (model.intercept_ ** 2).sum()


FITS = [
    ("logistic", "lbfgs, tol 1e-4, max_iter 100 (default)", np.float64, lambda: LogisticRegression(), logistic_objective),
    ("logistic", "lbfgs, tol 1e-4, max_iter 10000", np.float64, lambda: LogisticRegression(max_iter=10000), logistic_objective),
    ("logistic", "lbfgs, tol 1e-4, float32", np.float32, lambda: LogisticRegression(max_iter=10000), logistic_objective),
    ("logistic", "newton-cg, tol 1e-4", np.float64, lambda: LogisticRegression(solver="newton-cg", max_iter=1000), logistic_objective),
    ("svm", "dual, tol 1e-4, max_iter 1000 (default)", np.float64, lambda: LinearSVC(), hinge_objective),
    ("svm", "primal, tol 1e-4", np.float64, lambda: LinearSVC(dual=False), hinge_objective),
    ("svm", "primal, tol 1e-6", np.float64, lambda: LinearSVC(dual=False, tol=1e-6, max_iter=10000), hinge_objective),
    ("rbf-svm", "with probabilities", np.float64, lambda: SVC(probability=True), None),
    ("bayes", "", np.float64, lambda: GaussianNB(), None),
    ("knn", "5", np.float64, lambda: KNeighborsClassifier(5), None),
    ("mean", "", np.float64, lambda: NearestCentroid(), None),
]


def main(path, *names):
    data = np.load(path)
    print(f"{data['x_train'].shape}, {len(set(data['y_train']))} classes; {len(data['y_test'])} to test")
    for name, how, dtype, make, objective in FITS:
        if names and name not in names:
            continue
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            scaler = StandardScaler().fit(data["x_train"].astype(dtype))
            x = scaler.transform(data["x_train"].astype(dtype))
            model = make().fit(x, data["y_train"])
            best = min(best, time.perf_counter() - start)
        accuracy = 100 * model.score(scaler.transform(data["x_test"].astype(dtype)), data["y_test"])
        reached = f"   objective {objective(model, x.astype(np.float64), data['y_train']):.6f}" if objective else ""
        print(f"{name:10} {best:8.3f} s   accuracy {accuracy:.2f} %{reached}   {how}")


if __name__ == "__main__":
    main(*sys.argv[1:])
