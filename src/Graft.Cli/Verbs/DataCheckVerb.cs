using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Data;
using Graft.Runs;
using Graft.Runs.Reports;

namespace Graft.Cli.Verbs;

internal static class DataCheckVerb
{
    private const int Shown = 10;

    private const string WrongLabel = "wrong-label";

    private static readonly Dictionary<string, SuspectKind> Kinds = new(StringComparer.Ordinal)
    {
        ["unreadable"] = SuspectKind.Unreadable,
        ["duplicate"] = SuspectKind.Duplicate,
        ["contradiction"] = SuspectKind.Contradiction,
        ["blank"] = SuspectKind.Blank,
        ["dark"] = SuspectKind.Dark,
        ["blurred"] = SuspectKind.Blurred,
        ["tiny"] = SuspectKind.Tiny,
        ["odd-aspect"] = SuspectKind.OddAspect,
        [WrongLabel] = SuspectKind.WrongLabel,
    };

    public static Command Create()
    {
        var (data, tables) = (LabeledPhotos.Argument(), new LabeledPhotos());
        var page = new Option<string?>("--html") { Description = "Write a page with thumbnails to a new file", HelpName = "FILE" };
        var quarantine = new Option<string?>("--quarantine")
        {
            Description = "Move suspect files into this folder, with a list for --undo; nothing is deleted",
            HelpName = "DIR",
        };
        var kinds = new Option<string[]>("--move")
        {
            Description = "What to move: unreadable, duplicate, contradiction (one photo in two classes), blank, dark, blurred, tiny, odd-aspect, "
                + "wrong-label (default: the first four)",
            HelpName = "KIND",
            AllowMultipleArgumentsPerToken = true,
        };
        kinds.AcceptOnlyFromAmong([.. Kinds.Keys]);
        var networks = new BackboneOptions("Also find likely label errors and more near duplicates, with the features of this network or .onnx file");
        var extraction = new ExtractionOptions(networks);
        var caching = new CacheOptions();
        var undo = new Option<bool>("--undo") { Description = "Move everything in the --quarantine folder back to where it was" };
        var json = Terminal.Json();
        var command = new Verb(
            "check",
            "Check every photo: unreadable files, duplicates, leaks from training into the test set, blank or blurred photos.",
            "graft data check flowers --html flowers.html",
            "graft data check flowers --backbone mobilenet_v2 --html flowers.html",
            "graft data check flowers --quarantine aside",
            "graft data check flowers --quarantine aside --undo") { data, page, quarantine, kinds, undo, json };
        networks.AddAllTo(command);
        extraction.AddTo(command, [.. BackboneRequests.PoolingNames.SkipLast(1)]);
        caching.AddTo(command);
        tables.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            var source = LabeledPhotos.Existing(parsed.GetRequiredValue(data));
            var aside = parsed.GetValue(quarantine);
            if (parsed.GetValue(undo))
                return Undo(source, aside ?? throw new UsageException("Expected --quarantine DIR with --undo: the folder that the photos were moved into."), cancellation);
            if (aside is null && parsed.GetValue(kinds) is { Length: > 0 }) throw new UsageException("Expected --quarantine DIR with --move.");
            var isNamed = networks.IsNamed(parsed);
            if (!isNamed && parsed.GetValue(kinds)?.Contains(WrongLabel) == true)
                throw new UsageException($"Expected --backbone NAME with --move {WrongLabel}: labels are checked with features.");
            if (!isNamed && extraction.FirstGiven(parsed) is { } stray) throw new UsageException($"Expected --backbone NAME with {stray}.");
            if (parsed.GetValue(page) is { } wanted) NewFile.Check(wanted, page.Name);
            if (aside is not null) Quarantine.CheckFolder(source, aside);

            var photos = tables.Load(source, LabeledImagesOptions.ForChecking, parsed);
            // Better to learn now than after reading all photos that there is no such network.
            using var features = isNamed ? extraction.Load(parsed, cancellation) : null;
            using var cache = isNamed ? caching.Open(parsed) : null;
            var report = Terminal.WithProgress(progress =>
            {
                var found = DataCheck.Run(photos, progress: progress, cancellation: cancellation);
                return features is null
                    ? found
                    : FeatureCheck.Run(found, features, cache, null, Terminal.Warn, extraction.Engine(parsed), progress, cancellation);
            });
            if (parsed.GetValue(json)) Console.Out.WriteLine(Json(report));
            else Print(report);
            if (parsed.GetValue(page) is { } file)
            {
                DataCheckPage.Write(report, file);
                Terminal.Say($"Thumbnails are in {file}.");
            }
            if (aside is not null)
            {
                var chosen = parsed.GetValue(kinds) is { Length: > 0 } named ? named.Select(name => Kinds[name]).ToHashSet() : Quarantine.UsualKinds;
                var suspects = Quarantine.SuspectsOf(report, chosen);
                var (moved, left) = Quarantine.Move(source, suspects, aside, cancellation);
                Terminal.Say(moved == 0
                    ? $"{(left.Count == 0 ? "Nothing to move" : "Moved nothing")}."
                    : $"Moved {Files(moved)} into {aside}. To undo: graft data check {source} --quarantine {aside} --undo");
                return Stays(left);
            }
            return Terminal.Done;
        });
        return command;
    }

    private static int Undo(string source, string aside, CancellationToken cancellation)
    {
        var (restored, left) = Quarantine.Undo(source, aside, cancellation);
        Console.Out.WriteLine($"{Files(restored)} back in {source}.");
        return Stays(left);
    }

    private static int Stays(IReadOnlyList<SkippedFile> left)
    {
        foreach (var file in left) Terminal.Warn($"{Terminal.OnOneLine(file.Path)} stays: {file.Reason}.");
        return left.Count == 0 ? Terminal.Done : Terminal.Failed;
    }

    private static void Print(DataCheckReport report)
    {
        var write = Console.Out;
        write.WriteLine(Counts(report));
        write.WriteLine();
        write.WriteLine($"formats  {Tally(report.Images.Select(image => image.Format))}");
        write.WriteLine($"modes    {Tally(report.Images.Select(image => image.IsGrayscale ? "grayscale" : "color"))}");
        write.WriteLine($"sizes    {Sizes(report.Images)}");
        foreach (var note in report.Notes) Terminal.Note(note);

        Groups(
            "LEAK: {0} in training and in evaluation. Scores measured there will be optimistic.",
            [.. report.Duplicates.Where(group => group.IsLeak)]);
        Groups(
            "{0} in several classes: a label is likely wrong.", [.. report.Duplicates.Where(group => group is { IsLeak: false, IsContradiction: true })]);
        Groups(
            "{0} more than once in a class.", [.. report.Duplicates.Where(group => group is { IsLeak: false, IsContradiction: false })]);
        if (report.Labels is { } labels)
        {
            write.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""

                Labels, predicted with {labels.Backbone} by classifiers trained on other photos: {100 * labels.Accuracy:0.0} % agree with the label.
                """));
            Section(
                "{0} likely wrong, the most likely first.",
                [.. labels.Suspects.Select(suspect => string.Create(
                    CultureInfo.InvariantCulture,
                    $"{suspect.Image.File}: {suspect.Image.Class} {100 * suspect.Given:0.0} %, rather {suspect.Suggested} {100 * suspect.Probability:0.0} %"))],
                "label");
        }
        Section("{0} cannot be read.", [.. report.Unreadable.Select(file => $"{Inside(file.Path)}: {file.Reason}")]);
        Section(
            "{0} named as another format.", [.. report.Misnamed.Select(file => $"{file.Image.File}: {file.Extension} holds {file.Image.Format}")]);
        foreach (var flaw in report.Flawed.GroupBy(flawed => flawed.Flaw).OrderBy(flaw => flaw.Key))
            Section(
                $"{{0}} {(flaw.Key == ImageFlaw.OddAspect ? "oddly shaped" : flaw.Key.ToString().ToLowerInvariant())}.",
                [.. flaw.Select(flawed => $"{flawed.Image.File}: {flawed.Detail}")]);
        if (report.CropLoss is { } loss)
            write.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  A square crop loses {100 * loss:0} % of these. --fit pad or --fit stretch keeps them whole."));
        Section("{0} left out.", [.. report.Others.Select(file => $"{Inside(file.Path)}: {file.Reason}")]);
        if (report.Imbalance is var (largest, most, smallest, fewest))
            write.WriteLine($"\nImbalanced: {largest} has {most:N0} images, {smallest} {fewest:N0}. Judge by macro F1 rather than accuracy.");
        if (report.IsClean) write.WriteLine("\nNo problems found.");

        string Inside(string path) => DataCheck.RelativePath(report.Source, path);

        void Groups(string title, IReadOnlyList<DuplicateGroup> groups) => Section(
            title,
            [.. groups.Select(group => $"{string.Join(group.IsExact ? " = " : " ~ ", group.Images.Select(image => image.File))}")],
            "photo");

        void Section(string title, IReadOnlyList<string> lines, string unit = "file")
        {
            if (lines.Count == 0) return;
            var are = title.Contains("cannot", StringComparison.Ordinal) ? "" : lines.Count == 1 ? " is" : " are";
            write.WriteLine();
            write.WriteLine(title.Replace("{0}", $"{lines.Count:N0} {unit}{(lines.Count == 1 ? "" : "s")}{are}", StringComparison.Ordinal));
            foreach (var line in lines.Take(Shown)) write.WriteLine($"  {Terminal.OnOneLine(line)}");
            if (lines.Count > Shown) write.WriteLine($"  … and {lines.Count - Shown:N0} more (--json and --html have them)");
        }
    }

    private static string Counts(DataCheckReport report)
    {
        var parts = report.Parts.Count > 1 ? report.Parts : [];
        var columns = parts.Select(part => report.CountsOf(part)).Append(report.CountsOf()).ToList();
        return Terminal.Table(
            ["class", .. parts, "images"],
            [false, .. columns.Select(_ => true)],
            report.Classes.Select((name, index) => (string[])[name, .. columns.Select(counts => $"{counts[index]:N0}")])
                .Append(["all", .. columns.Select(counts => $"{counts.Sum():N0}")]));
    }

    private static string Tally(IEnumerable<string> values) => string.Join(
        ", ", values.CountBy(value => value).OrderByDescending(count => count.Value).ThenBy(count => count.Key, StringComparer.Ordinal)
            .Select(count => $"{count.Key} {count.Value:N0}"));

    private static string Sizes(IReadOnlyList<CheckedImage> images)
    {
        var sizes = images.Select(image => (image.Width, image.Height)).Distinct().ToList();
        if (sizes is []) return "–";
        if (sizes is [var (width, height)]) return $"all {width}×{height} pixels";
        var shorter = images.Select(image => Math.Min(image.Width, image.Height)).Order().ToList();
        var common = images.CountBy(image => (image.Width, image.Height)).MaxBy(size => size.Value);
        return $"{sizes.Count:N0} different; most often {common.Key.Width}×{common.Key.Height} ({common.Value:N0}); "
            + $"shorter side {shorter[0]:N0} to {shorter[^1]:N0} pixels, median {shorter[shorter.Count / 2]:N0}";
    }

    private static string Json(DataCheckReport report) => JsonSerializer.Serialize(
        new
        {
            report.Source,
            Images = report.Images.Count,
            Classes = report.Classes.Select((name, index) => new
            {
                Name = name,
                Images = report.CountsOf()[index],
                Parts = report.Parts.Count > 1 ? report.Parts.ToDictionary(part => part, part => report.CountsOf(part)[index]) : null,
            }),
            Formats = report.Images.CountBy(image => image.Format).ToDictionary(),
            Modes = report.Images.CountBy(image => image.IsGrayscale ? "grayscale" : "color").ToDictionary(),
            Sizes = report.Images.CountBy(image => $"{image.Width}x{image.Height}").OrderByDescending(size => size.Value).ToDictionary(),
            report.Notes,
            Leaks = report.Duplicates.Count(group => group.IsLeak),
            Duplicates = report.Duplicates.Select(group => new
            {
                Exact = group.IsExact,
                Leak = group.IsLeak,
                Contradiction = group.IsContradiction,
                Files = group.Images.Select(image => image.File),
            }),
            Unreadable = report.Unreadable.Select(file => new { File = DataCheck.RelativePath(report.Source, file.Path), file.Reason }),
            Misnamed = report.Misnamed.Select(file => new { file.Image.File, file.Extension, file.Image.Format }),
            Flawed = report.Flawed.Select(flawed => new
            {
                flawed.Image.File,
                Flaw = Kinds.First(kind => $"{kind.Value}" == $"{flawed.Flaw}").Key,
                flawed.Detail,
            }),
            Others = report.Others.Select(file => new { File = DataCheck.RelativePath(report.Source, file.Path), file.Reason }),
            Labels = report.Labels is not { } labels ? null : new
            {
                labels.Backbone,
                labels.Accuracy,
                Suspects = labels.Suspects.Select(suspect => new
                {
                    suspect.Image.File,
                    Given = suspect.Image.Class,
                    GivenProbability = suspect.Given,
                    suspect.Suggested,
                    SuggestedProbability = suspect.Probability,
                }),
            },
            Imbalance = report.Imbalance is var (largest, most, smallest, fewest) ? new { Largest = largest, Most = most, Smallest = smallest, Fewest = fewest } : null,
        },
        RunFolder.Json);

    private static string Files(int count) => $"{count:N0} file{(count == 1 ? "" : "s")}";
}
