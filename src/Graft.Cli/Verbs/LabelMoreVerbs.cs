using System.CommandLine;
using System.Globalization;
using Graft.Classifiers;
using Graft.Evaluation;
using Graft.Labeling;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>The verbs below <c>label</c>.</summary>
internal static class LabelMoreVerbs
{
    public static Command Audit()
    {
        var labels = new Argument<string>("LABELS") { Description = "The folder that graft label wrote, or a table of path,label" };
        var count = new Option<int>("--count") { Description = "How many labels to check, drawn at random, each class in its share", HelpName = "COUNT", DefaultValueFactory = _ => 100 };
        var seed = new Option<int>("--seed") { Description = "Decides which are drawn", HelpName = "NUMBER", DefaultValueFactory = _ => 1 };
        var answers = new Option<string?>("--answers") { Description = "The checked table: says how precise all labels are", HelpName = "CSV" };
        var output = new Option<string?>("--out") { Description = "A new folder for audit.html, to answer by keys, and audit.csv, to answer in a spreadsheet (default: runs/audit-LABELS)", HelpName = "FOLDER" };
        var json = Terminal.Json();
        var command = new Verb(
            "audit", "Check a random sample of labels by eye, and learn how precise all of them are.",
            "graft label audit runs/labels-holiday --count 100", "graft label audit runs/labels-holiday --answers audit.csv") { labels, count, seed, answers, output, json };
        command.SetHandler((parsed, cancellation) =>
        {
            var source = parsed.GetRequiredValue(labels);
            var table = PhotoLabels.Read(source);
            if (parsed.GetValue(answers) is { } file)
            {
                if (parsed.GetValue(output) is not null) throw new UsageException("--answers says what was answered; --out has no effect with it.");
                var result = LabelAudit.Result(table, LabelQuestions.AnswersOf(file));
                if (parsed.GetValue(json)) Console.Out.WriteLine(RunFolder.ToJson(new
                {
                    result.Precision,
                    Interval = new[] { result.Interval.Low, result.Interval.High },
                    result.Checked,
                    Classes = result.Classes.Select(one => new { one.Class, one.Checked, one.Right }),
                }).ToJsonString(RunFolder.Json));
                else
                {
                    foreach (var (name, looked, right) in result.Classes) Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Terminal.OnOneLine(name)}: {right:N0} of {looked:N0} right"));
                    Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{100 * result.Precision:0.0} % of the labels are right (95 % interval {100 * result.Interval.Low:0.0}–{100 * result.Interval.High:0.0} %), by {result.Checked:N0} that were checked."));
                }
                return Terminal.Done;
            }
            if (parsed.GetValue(count) < 1) throw new UsageException("Expected --count of at least 1.");
            var drawn = LabelAudit.Draw(table, parsed.GetValue(count), parsed.GetValue(seed));
            using var folder = RunFolder.Create(parsed.GetValue(output), $"audit-{LabelVerb.NameOf(source)}");
            LabelQuestions.SaveAudit(drawn, folder.FullName);
            if (parsed.GetValue(json)) Console.Out.WriteLine(RunFolder.ToJson(new { Folder = folder.FullName, Photos = drawn.Count }).ToJsonString(RunFolder.Json));
            Terminal.Say($"{drawn.Count:N0} labels to check are in {folder.FullName}: open audit.html and answer by keys, or fill the column correct of audit.csv with yes or no. "
                + $"Then: graft label audit {source} --answers AUDIT.csv");
            return Terminal.Done;
        });
        return command;
    }

    public static Command Next()
    {
        var model = BackboneOptions.Model();
        var photos = new Argument<string>("DIR") { Description = "Photos without labels" };
        var count = new Option<int>("--count") { Description = "How many photos", HelpName = "COUNT", DefaultValueFactory = _ => 50 };
        var seed = new Option<int>("--seed") { Description = "Decides which are drawn at random", HelpName = "NUMBER", DefaultValueFactory = _ => 1 };
        var output = new Option<string?>("--out") { Description = "A new folder for next.html, to answer by keys, and next.csv, to answer in a spreadsheet (default: runs/next-DIR)", HelpName = "FOLDER" };
        var json = Terminal.Json();
        var command = new Verb(
            "next",
            """
            Choose which photos to label next: those the model is unsure of, those unlike all others, and one in ten at random.

            The random ones alone say how good the model is. Answers come back with `graft label apply next.csv --into PHOTOS`.
            """,
            "graft label next runs/flowers-mobilenet_v2 unlabeled --count 50") { model, photos, count, seed, output, json };
        command.SetHandler((parsed, cancellation) =>
        {
            if (parsed.GetValue(count) < 1) throw new UsageException("Expected --count of at least 1.");
            var path = parsed.GetRequiredValue(model);
            if (!Path.Exists(path)) throw new UsageException($"There is no model {path}: no such file or run folder.");
            using var folder = RunFolder.Create(parsed.GetValue(output), $"next-{LabelVerb.NameOf(parsed.GetRequiredValue(photos))}");
            try
            {
                using var classifier = ImageClassifier.Open(path);
                using var cache = CacheOptions.OpenShared();
                var queue = Terminal.WithProgress(progress => LabelQuestions.Next(
                    classifier, path, parsed.GetRequiredValue(photos), parsed.GetValue(count), parsed.GetValue(seed), cache, progress, cancellation));
                LabelQuestions.SaveNext(queue, classifier.Classes, folder.FullName);
                if (parsed.GetValue(json)) Console.Out.WriteLine(RunFolder.ToJson(new { Folder = folder.FullName, queue.Photos, queue.Unlabeled, queue.Sure, queue.Outlook }).ToJsonString(RunFolder.Json));
                Terminal.Say($"{queue.Outlook}\n{queue.Photos.Count:N0} photos to label are in {folder.FullName}: open next.html and answer by keys, or fill the column label of next.csv. "
                    + "Then: graft label apply NEXT.csv --into PHOTOS");
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

    public static Command Apply()
    {
        var labels = new Argument<string>("LABELS") { Description = "The folder that graft label wrote, or a table of path,label such as an answered next.csv" };
        var into = new Option<string>("--into") { Description = "Copy the labeled photos into a folder per class in this folder; nothing is overwritten", HelpName = "DIR", Required = true };
        var link = new Option<bool>("--link") { Description = "Make symbolic links instead of copies" };
        var json = Terminal.Json();
        var command = new Verb(
            "apply", "Put photos into the folders of their labels. Take it back with graft label --undo DIR.", "graft label apply next.csv --into flowers") { labels, into, link, json };
        command.SetHandler((parsed, cancellation) =>
        {
            var table = PhotoLabels.Read(parsed.GetRequiredValue(labels));
            var target = parsed.GetRequiredValue(into);
            var applied = Terminal.WithProgress(progress => AppliedLabels.Apply(table, target, parsed.GetValue(link), progress, cancellation));
            if (parsed.GetValue(json)) Console.Out.WriteLine(RunFolder.ToJson(applied).ToJsonString(RunFolder.Json));
            LabelVerb.Say(applied, target);
            if (LabelQuestions.EstimateOf(table) is var (right, asked))
            {
                var interval = ClopperPearson.Interval(right, asked);
                Terminal.Say(string.Create(CultureInfo.InvariantCulture,
                    $"Of the {asked:N0} photos drawn at random the model had named {right:N0} right: {100.0 * right / asked:0} % (95 % interval {100 * interval.Low:0}–{100 * interval.High:0} %)."));
            }
            return applied.Left.Count == 0 ? Terminal.Done : Terminal.Failed;
        });
        return command;
    }
}
