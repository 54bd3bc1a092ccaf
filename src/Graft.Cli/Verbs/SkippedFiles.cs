using Graft.Data;

namespace Graft.Cli.Verbs;

internal static class SkippedFiles
{
    private const int Shown = 20;

    /// <summary>Says what is wrong with the data of a training run, and where to learn more; nothing if nothing is.</summary>
    public static void Say(TrainingDataCheck check, string source)
    {
        foreach (var warning in check.Warnings) Terminal.Warn(warning);
        foreach (var note in check.Notes) Terminal.Note(note);
        if (check.Warnings.Count > 0) Terminal.Say($"Which ones: graft data check {source}");
    }

    /// <summary>Names the files that were left out, with the reason; a long list is cut, with the place of the whole one.</summary>
    public static void Say(IReadOnlyList<SkippedFile> files, string? wholeList = null)
    {
        if (files.Count == 0) return;
        Terminal.Say($"Skipped {files.Count:N0} file{(files.Count == 1 ? "" : "s")}:");
        foreach (var file in wholeList is null ? files : files.Take(Shown)) Terminal.Say($"  {Terminal.OnOneLine(file.Path)}: {file.Reason}");
        if (wholeList is not null && files.Count > Shown) Terminal.Say($"  … and {files.Count - Shown:N0} more, all in {wholeList}");
    }
}
