using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Data.Remote;
using Graft.Labeling;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>Labels photos that have no labels, and what belongs to it: checking labels, choosing what to label next, and putting labeled photos into folders.</summary>
internal static class LabelVerb
{
    public static Command Create()
    {
        var photos = new Argument<string[]>("PHOTOS") { Description = "Photos without labels: folders, with those below them; files; quoted patterns", Arity = ArgumentArity.ZeroOrMore };
        var with = new Option<string?>("--with") { Description = "A trained model, a run folder, or a network of the catalog with its ImageNet classes", HelpName = "MODEL" };
        var classes = new Option<string[]>("--classes")
        {
            Description = "Classes that stand for several of the model's: by index (cat=281..285), name or group of WordNet (dog, or pet=dog,cat), or a file of such lines",
            HelpName = "NAME=MEMBERS",
            AllowMultipleArgumentsPerToken = true,
        };
        var precision = new Option<double?>("--precision") { Description = "Give only as many labels as keep this share right in each class, such as 0.98; it is measured on labeled photos", HelpName = "SHARE" };
        var labeled = new Option<string?>("--labeled") { Description = "Labeled photos to measure the precision on (default: those of the run)", HelpName = "DIR" };
        var threshold = new Option<double?>("--threshold") { Description = "Give no label that is less probable, 0 to 1", HelpName = "P" };
        var refuse = new Option<double?>("--refuse") { Description = "Share of photos like the training photos that may be called unlike and get no label (default: as in training, 0.02)", HelpName = "SHARE" };
        var output = new Option<string?>("--out") { Description = "A new folder for labels.csv, labels.html and summary.json (default: runs/labels-PHOTOS)", HelpName = "FOLDER" };
        var into = new Option<string?>("--into") { Description = "Copy the labeled photos into a folder per class in this folder; nothing is overwritten", HelpName = "DIR" };
        var link = new Option<bool>("--link") { Description = "With --into: make symbolic links instead of copies" };
        var undo = new Option<string?>("--undo") { Description = "Take back what --into put into this folder; files that have changed since stay", HelpName = "DIR" };
        var json = Terminal.Json();
        var pretrained = new BackboneOptions();
        var command = new Verb(
            "label",
            """
            Label photos that have no labels.

            The photos stay where they are and as they are. labels.csv has a row for each: path, label, probability, the second class, why there is no label, and the file's
            hash; `graft train labels.csv` trains on it.
            """,
            "graft label holiday --with runs/flowers-mobilenet_v2 --precision 0.98",
            "graft label pets --with mobilenet_v1 --classes cat=281..285 dog --into sorted",
            "graft label --undo sorted") { photos, with, classes, precision, labeled, threshold, refuse, output, into, link, undo, json };
        pretrained.AddTo(command);
        command.Add(LabelMoreVerbs.Audit());
        command.Add(LabelMoreVerbs.Next());
        command.Add(LabelMoreVerbs.Apply());
        command.SetHandler((parsed, cancellation) =>
        {
            var wanted = parsed.GetValue(photos) ?? [];
            if (parsed.GetValue(undo) is { } taken)
            {
                if (wanted.Length > 0 || parsed.GetValue(with) is not null) throw new UsageException("--undo DIR takes labels back and goes with nothing else.");
                return Undo(taken, parsed.GetValue(json), cancellation);
            }
            if (wanted.Length == 0) throw new UsageException("Name the photos to label.");
            if (parsed.GetValue(with) is not { } name) throw new UsageException("Say what to label them with: --with MODEL, a run folder or a network such as mobilenet_v1.");
            if (parsed.GetValue(link) && parsed.GetValue(into) is null) throw new UsageException("--link needs --into DIR, where the links are made.");
            var target = parsed.GetValue(into);
            var folder = RunFolder.Create(parsed.GetValue(output), $"labels-{NameOf(wanted[0])}");
            try
            {
                using var model = pretrained.Open(name, parsed, cancellation);
                if (parsed.GetValue(refuse) is { } share) PredictVerb.Refuse(model, share);
                var texts = parsed.GetValue(classes) ?? [];
                if (texts.Length == 0 && model.Classes.Count == ClassNames.ImageNet.Count && model.Classes.SequenceEqual(ClassNames.ImageNet))
                    Terminal.Note("Without --classes all 1,000 classes of ImageNet are labels. To sort cats from dogs: --classes cat=281..285 dog");
                LabelRequest request = new()
                {
                    Photos = wanted,
                    Except = [folder.FullName, .. new[] { target }.OfType<string>()],
                    Groups = texts.Length == 0 ? null : ClassGroups.Parse(texts, model.Classes),
                    Threshold = parsed.GetValue(threshold) ?? 0,
                    Precision = parsed.GetValue(precision),
                    Labeled = parsed.GetValue(labeled),
                };
                using var cache = CacheOptions.OpenShared();
                var result = Terminal.WithProgress(progress => PhotoLabeling.Run(model, request, Path.Exists(name) ? name : null, cache, Terminal.Warn, progress, cancellation));
                LabelFiles.Save(result, NameOf(wanted[0]), folder.FullName);
                var applied = target is null ? null
                    : Terminal.WithProgress(progress => AppliedLabels.Apply(result.Labels, target, parsed.GetValue(link), progress, cancellation));
                if (parsed.GetValue(json))
                {
                    var document = LabelText.Summary(result);
                    document["folder"] = folder.FullName;
                    if (applied is not null) document["applied"] = RunFolder.ToJson(applied);
                    Console.Out.WriteLine(document.ToJsonString(RunFolder.Json));
                }
                else
                {
                    Console.Out.Write(LabelText.Of(result));
                }
                if (applied is not null) Say(applied, target!);
                Terminal.Say($"Written to {folder.FullName}: {PhotoLabels.FileName}, {LabelFiles.PageName}, {LabelFiles.SummaryName}. Next: graft label audit {folder.FullName}");
                return Terminal.Done;
            }
            catch
            {
                folder.DeleteIfEmpty();
                throw;
            }
        });
        return command;
    }

    internal static void Say(AppliedResult applied, string into)
    {
        foreach (var (label, known) in applied.Respelled) Terminal.Warn($"The label {Terminal.OnOneLine(label)} differs from the class {Terminal.OnOneLine(known)} in upper and lower case only; its photos are put into {Terminal.OnOneLine(known)}.");
        foreach (var file in applied.Left) Terminal.Say($"{Terminal.OnOneLine(file.Path)}: {file.Reason}");
        var counts = string.Join(", ", applied.Placed.Select(entry => $"{entry.Key} {entry.Value:N0}"));
        Terminal.Say($"{(counts.Length == 0 ? "Nothing new in" : "Put into")} {into}{(counts.Length == 0 ? "" : $": {counts}")}."
            + (applied.AlreadyThere > 0 ? $" {applied.AlreadyThere:N0} {(applied.AlreadyThere == 1 ? "was" : "were")} there already." : "")
            + (applied.Placed.Count > 0 ? $" Take it back with: graft label --undo {into}" : ""));
    }

    private static int Undo(string folder, bool asJson, CancellationToken cancellation)
    {
        var (taken, left) = AppliedLabels.Undo(folder, cancellation);
        if (asJson) Console.Out.WriteLine(RunFolder.ToJson(new { TakenBack = taken, Left = left }).ToJsonString(RunFolder.Json));
        foreach (var file in left) Terminal.Say($"{Terminal.OnOneLine(file.Path)}: {file.Reason}");
        Terminal.Say(string.Create(CultureInfo.InvariantCulture, $"{taken:N0} photo{(taken == 1 ? "" : "s")} taken back out of {folder}."));
        return left.Count == 0 ? Terminal.Done : Terminal.Failed;
    }

    internal static string NameOf(string path) =>
        Path.GetFileName(Path.TrimEndingDirectorySeparator(RemotePlace.Full(path))) is { Length: > 0 } name ? OutputFolder.SafeName(name) : "photos";
}
