using System.CommandLine;

namespace Graft.Cli.Verbs;

/// <summary>The argument that names labelled photos.</summary>
internal static class LabeledPhotos
{
    private const string Layouts = "Labelled photos: a folder per class; train/, val/ and test/ folders of such; names such as cat.0.jpg; or a CSV of path,label";

    public static Argument<string> Argument() => new("DIR") { Description = Layouts };

    /// <exception cref="UsageException">There is nothing of that name.</exception>
    public static string Existing(string source) =>
        Path.Exists(source) ? source : throw new UsageException($"There is no folder or file {source}.");
}
