using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Graft.Runs;

namespace Graft.Labeling;

/// <summary>Writes what labeling gave into a folder.</summary>
public static class LabelFiles
{
    public const string PageName = "labels.html", SummaryName = "summary.json";

    /// <summary>Writes <c>labels.csv</c>, <c>labels.html</c> and <c>summary.json</c>, or none of them.</summary>
    /// <param name="title">What was labeled.</param>
    /// <param name="folder">Exists; what it holds of these names is not written over.</param>
    /// <exception cref="GraftException">A file is there already, or the disk is full or fails.</exception>
    public static void Save(LabelResult result, string title, string folder)
    {
        try
        {
            WholeFile.WriteAll(
                (Path.Join(folder, PhotoLabels.FileName), result.Labels.Write),
                (Path.Join(folder, PageName), path => LabelPage.Write(result, title, path)),
                (Path.Join(folder, SummaryName), path => WholeFile.Write(path, LabelText.Summary(result).ToJsonString(RunFolder.Json) + "\n")));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or GraftException)
        {
            throw new GraftException($"The labels cannot be written in {folder}, and nothing was left there: {problem.Message}", problem);
        }
    }
}

/// <summary>What labeling gave, in words and as JSON.</summary>
public static class LabelText
{
    public static string Of(LabelResult result)
    {
        var text = new StringBuilder();
        var width = Math.Max(5, result.Classes.Select(name => name.Length).DefaultIfEmpty().Max());
        var shown = Enumerable.Range(0, result.Classes.Count).Where(label => result.Classes.Count <= 50 || result.Counts[label] > 0).ToList();
        foreach (var label in shown)
        {
            text.Append(CultureInfo.InvariantCulture, $"{VisibleText.Of(result.Classes[label]).PadRight(width)}  {result.Counts[label],7:N0}");
            if (result.Thresholds?[label] is { } limit)
            {
                text.Append(limit.Threshold is { } least
                    ? string.Create(CultureInfo.InvariantCulture, $"  from {least:0.000} on: {limit.Correct:N0} of {limit.Count:N0} right, at least {100 * limit.LowerBound:0.0} %")
                    : string.Create(CultureInfo.InvariantCulture, $"  no label: the {limit.Named:N0} photos that were named so do not show this precision ({Unlabeled(result):N0} right ones would)"));
            }
            text.AppendLine();
        }
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{result.Labeled:N0} of {result.Labels.Photos.Count:N0} photos have a label.");
        foreach (var (reason, photos) in result.LeftOut) text.AppendLine(CultureInfo.InvariantCulture, $"  {photos,7:N0} without: {reason}");
        if (result is { Labeled: > 0, Request.Precision: { } precision, Measured: var (count, source) })
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"At least {100 * precision:0.#} of 100 labels of each class are right, but in {100 * result.Request.Risk:0.#} of 100 cases, as far as these photos are like the {count:N0} of {source}.");
        }
        return text.ToString();

        static int Unlabeled(LabelResult result) => Evaluation.ClopperPearson.LeastCount(result.Request.Precision!.Value, result.Request.Risk);
    }

    public static JsonObject Summary(LabelResult result) => RunFolder.ToJson(new
    {
        Photos = result.Labels.Photos.Count,
        result.Labeled,
        Classes = result.Classes.Select((name, label) => new { Class = name, Photos = result.Counts[label], Precision = result.Thresholds?[label] }),
        LeftOut = result.LeftOut.Select(entry => new { entry.Reason, entry.Photos }),
        result.Request.Precision,
        result.Request.Risk,
        Measured = result.Measured is var (count, source) ? new { Photos = count, Source = source } : null,
    });
}
