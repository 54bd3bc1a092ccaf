namespace Graft.Cli;

/// <summary>What to do about the library's errors, said with the command's verbs and options.</summary>
internal static class Remedies
{
    private static readonly Dictionary<string, string> OfCode = new(StringComparer.Ordinal)
    {
        ["weights-missing"] = "`graft models pull NAME` downloads them; a file that you have is named with --weights FILE.",
        ["model-missing"] = "Name the run folder that `graft train` wrote, or a network of the catalog (`graft models` lists them).",
        ["not-a-model"] = "To use it as pretrained weights, name its network and pass the file with --weights.",
        ["onnx-not-a-model"] = "If Graft exported it, name the run folder that it came from; any other is a backbone: `graft train DIR --backbone FILE`.",
        ["no-classification-head"] = "Use it as a backbone: `graft train DIR --backbone NAME`.",
        ["output-is-folder"] = "Name a new file in it with --out.",
        ["output-exists"] = "An exported model comes with files beside it: name a file in a folder of its own with --out.",
        ["no-check-photos"] = "Name others with --check.",
        ["run-folder"] = "Name another folder with --out.",
        ["port-taken"] = "Choose another one with --port, or 0 for any free one.",
    };

    /// <summary>The problem and its remedy; the library's own remedy where the command has no words for it.</summary>
    public static string Phrase(GraftException problem) =>
        OfCode.TryGetValue(problem.Code, out var remedy) ? $"{problem.Problem} {remedy}" : problem.Message;
}
