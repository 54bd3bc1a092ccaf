using System.CommandLine;
using System.Globalization;
using Graft.Classifiers;

namespace Graft.Cli.Verbs;

/// <summary>The options that say which classifier is fitted on the features.</summary>
internal sealed class ClassifierOptions
{
    private const string Softmax = "softmax";

    private readonly Option<string> _classifier = new("--classifier")
    {
        Description = "What is fitted on the features: softmax (a head trained in epochs), logistic, svm, rbf-svm, bayes, knn or mean",
        HelpName = "NAME",
        DefaultValueFactory = _ => Softmax,
    };

    private readonly Option<string?> _c = new("--C")
    {
        Description = "Of logistic, svm and rbf-svm: the smaller, the stronger the regularisation; auto chooses by cross-validation (default: 1)",
        HelpName = "NUMBER|auto",
    };

    private readonly Option<string?> _classWeights = new("--class-weights")
    {
        Description = "balanced: every class counts the same, however many images it has (default: none)",
        HelpName = "none|balanced",
    };

    private readonly Option<int?> _neighbors = new("--neighbors") { Description = "Of knn: how many training images vote (default: 5)", HelpName = "K" };

    public void AddTo(Command command)
    {
        _classifier.AcceptOnlyFromAmong(Softmax, "logistic", "svm", "rbf-svm", "bayes", "knn", "mean");
        _classWeights.AcceptOnlyFromAmong("none", "balanced");
        foreach (Option option in (Option[])[_classifier, _c, _classWeights, _neighbors]) command.Add(option);
    }

    /// <summary>Whether classes are to count the same.</summary>
    public bool IsBalanced(ParseResult parsed) => parsed.GetValue(_classWeights) == "balanced";

    /// <summary>The classifier, or null for a softmax head.</summary>
    /// <param name="ofSoftmax">Options that only a softmax head has.</param>
    /// <exception cref="UsageException">An option was given that the classifier does not have.</exception>
    public FeatureClassifier? Of(ParseResult parsed, Option<bool> isNotStandardized, params IReadOnlyList<Option> ofSoftmax)
    {
        var name = parsed.GetRequiredValue(_classifier);
        if (name != Softmax) Refuse(ofSoftmax, [Softmax]);
        Refuse([_c], ["logistic", "svm", "rbf-svm"]);
        Refuse([_neighbors], ["knn"]);
        Refuse([_classWeights], [Softmax, "logistic", "svm", "rbf-svm", "bayes"]);
        var weights = IsBalanced(parsed) ? ClassWeighting.Balanced : ClassWeighting.None;
        var standardize = !parsed.GetValue(isNotStandardized);
        return name switch
        {
            "logistic" => new LogisticRegression { C = C(parsed), ClassWeights = weights, Standardize = standardize },
            "svm" => new LinearSvm { C = C(parsed), ClassWeights = weights, Standardize = standardize },
            "rbf-svm" => new RbfSvm { C = C(parsed), ClassWeights = weights, Standardize = standardize },
            "bayes" => new GaussianNaiveBayes { ClassWeights = weights, Standardize = standardize },
            "knn" => new NearestNeighbors { Neighbors = parsed.GetValue(_neighbors) ?? new NearestNeighbors().Neighbors, Standardize = standardize },
            "mean" => new NearestClassMean { Standardize = standardize },
            _ => null,
        };

        void Refuse(IEnumerable<Option> options, IReadOnlyList<string> owners)
        {
            if (owners.Contains(name)) return;
            var given = options.Where(option => parsed.GetResult(option) is { Implicit: false }).Select(option => option.Name).ToList();
            if (given.Count == 0) return;
            throw new UsageException(
                $"{string.Join(", ", given)} {(given.Count == 1 ? "belongs" : "belong")} to --classifier {string.Join(", ", owners)}, not to {name}.");
        }
    }

    private double? C(ParseResult parsed) => parsed.GetValue(_c) switch
    {
        null => 1,
        "auto" => null,
        var text => double.TryParse(text, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new UsageException($"Expected --C as a number above 0, or auto, found {text}."),
    };
}
