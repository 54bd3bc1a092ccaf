namespace Graft.Classifiers;

/// <summary>A classifier that can be asked for by name.</summary>
/// <param name="Name">As the command and the files know it.</param>
/// <param name="Description">What it is, in a few words.</param>
/// <param name="From">The classifier with those of the options that it takes.</param>
/// <param name="Own">Names of the <see cref="ClassifierOptions"/> that it takes beside those that every classifier takes.</param>
public sealed record ClassifierEntry(
    string Name, string Description, Func<ClassifierOptions, FeatureClassifier> From, params IReadOnlyList<string> Own)
{
    /// <summary>Names of all <see cref="ClassifierOptions"/> that it takes; any other is refused.</summary>
    public IReadOnlySet<string> Takes { get; } =
        new HashSet<string>([.. Own, nameof(ClassifierOptions.Standardize), nameof(ClassifierOptions.Calibrate)], StringComparer.Ordinal);
}

/// <summary>All classifiers that are fitted on features in one go. Adding one is adding a file and a line here.</summary>
public static class ClassifierCatalog
{
    /// <summary>In the order in which they are listed to a user.</summary>
    public static IReadOnlyList<ClassifierEntry> Entries { get; } = Distinct(
        LogisticRegression.Entry,
        LinearSvm.Entry,
        RbfSvm.Entry,
        LinearDiscriminant.Entry,
        GaussianNaiveBayes.Entry,
        NearestNeighbors.Entry,
        NearestClassMean.Entry,
        CenteredClassMean.Entry);

    public static IReadOnlyList<string> Names { get; } = [.. Entries.Select(entry => entry.Name)];

    /// <exception cref="GraftException">There is no such classifier.</exception>
    public static ClassifierEntry Find(string name) =>
        Entries.FirstOrDefault(entry => entry.Name == name)
        ?? throw new GraftException($"There is no classifier '{name}'. Choose one of {string.Join(", ", Names)}.");

    /// <summary>A classifier with options; all that is wrong with them is told at once.</summary>
    /// <exception cref="GraftException">There is no such classifier, an option is out of its range, or it is not one of the classifier's.</exception>
    public static FeatureClassifier Create(string name, ClassifierOptions? options = null)
    {
        var entry = Find(name);
        options ??= new();
        var given = options.Given().ToList();
        List<string> problems =
        [
            .. options.Problems(),
            .. given.Where(option => !entry.Takes.Contains(option)).Select(option =>
                $"The classifier {name} has no option {option}; {Owners(option)}."),
        ];
        return problems.Count == 0 ? entry.From(options) : throw new GraftException(string.Join(" ", problems));

        static string Owners(string option)
        {
            var owners = OwnersOf(option);
            return $"{string.Join(", ", owners)} {(owners.Count == 1 ? "has" : "have")} it";
        }
    }

    /// <summary>Names of the classifiers to which an option belongs; empty where every classifier takes it, or none.</summary>
    public static IReadOnlyList<string> OwnersOf(string option) => [.. Entries.Where(entry => entry.Own.Contains(option)).Select(entry => entry.Name)];

    private static ClassifierEntry[] Distinct(params ClassifierEntry[] entries) =>
        entries.CountBy(entry => entry.Name).FirstOrDefault(count => count.Value > 1) is { Key: { } name }
            ? throw new InvalidOperationException($"Two classifiers are called {name}.")
            : entries;
}
