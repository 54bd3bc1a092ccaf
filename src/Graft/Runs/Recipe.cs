namespace Graft.Runs;

/// <summary>Requests that say only how to train: a file, or one of the classic recipes by name.</summary>
public static class Recipe
{
    private const string Prefix = "Graft.Runs.Recipes.", Suffix = ".json";

    /// <summary>The classic recipes.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(Recipe).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..^Suffix.Length]).Order(StringComparer.Ordinal),
    ];

    /// <param name="nameOrFile">A name of <see cref="Names"/>, or a JSON file.</param>
    /// <exception cref="GraftException">There is no such recipe, or the file is not one.</exception>
    public static TrainingRequest Load(string nameOrFile)
    {
        if (Names.Contains(nameOrFile))
        {
            using var resource = new StreamReader(typeof(Recipe).Assembly.GetManifestResourceStream(Prefix + nameOrFile + Suffix)!);
            return TrainingRequest.FromJson(resource.ReadToEnd(), nameOrFile);
        }
        if (!File.Exists(nameOrFile)) throw new GraftException($"There is no recipe {nameOrFile}: no such file, and the names are {string.Join(", ", Names)}.");
        return TrainingRequest.FromJson(RegularFile.ReadAllText(nameOrFile), nameOrFile);
    }

    /// <summary>Writes a request as a recipe: without its photos.</summary>
    /// <exception cref="GraftException">The file exists, or cannot be written.</exception>
    public static void Save(TrainingRequest request, string file)
    {
        try
        {
            WholeFile.Write(file, (request with { Photos = null }).ToJson() + "\n");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"The recipe {file} cannot be written: {problem.Message} Name another file.", problem);
        }
    }
}
