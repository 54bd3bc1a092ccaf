using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Unlabeled;

namespace Graft.Benchmarks;

/// <summary>
/// What unlabeled photos bring: few labels of each class are drawn, all other photos are unlabeled, and each method names these. A line of results for each draw; those in
/// the file are not measured again.
/// </summary>
internal static class UnlabeledBenchmark
{
    private sealed record Row(string Data, string Network, int Labels, int Draw, string Method, double Accuracy, double Seconds, int Rounds);

    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "Photos as NAME=DIR; repeat", HelpName = "NAME=DIR", Required = true };
        var networks = new Option<string[]>("--network") { HelpName = "NAME[=FILE]", Required = true };
        var labels = new Option<int[]>("--labels") { Description = "Labels of a class", DefaultValueFactory = _ => [5, 20] };
        var draws = new Option<int>("--draws") { DefaultValueFactory = _ => 5 };
        var c = new Option<double>("--C") { DefaultValueFactory = _ => 0.01 };
        var views = new Option<int>("--views") { Description = "Measure what so many augmented views of each photo bring, in the place of the other methods" };
        var augment = new Option<string>("--augment") { Description = "How they are varied", DefaultValueFactory = _ => "strong" };
        var output = new Option<string>("--out") { Description = "The file of results, JSON lines", Required = true };
        var command = new Command("unlabeled", "Accuracy on unlabeled photos of self-training and label spreading beside the labels alone") { data, networks, labels, draws, c, views, augment, output };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(
                parsed.GetRequiredValue(data), parsed.GetRequiredValue(networks), parsed.GetRequiredValue(labels), parsed.GetValue(draws), parsed.GetValue(c),
                parsed.GetValue(views) is > 0 and var count ? new ViewBank(Augmentation.Named(parsed.GetRequiredValue(augment))!, count) : null, parsed.GetRequiredValue(output), cancellation),
            cancellation));
        return command;
    }

    private static void Run(string[] data, string[] networks, int[] counts, int draws, double c, ViewBank? bank, string output, CancellationToken cancellation)
    {
        var rows = File.Exists(output) ? File.ReadAllLines(output).Select(line => JsonSerializer.Deserialize<Row>(line)!).ToList() : [];
        using var file = new StreamWriter(output, append: true) { AutoFlush = true };
        using var cache = FeatureCache.Open();
        foreach (var (name, folder) in data.Select(text => (text.Split('=', 2)[0], text.Split('=', 2)[1])))
        {
            var photos = LabeledImages.Load(folder, LabeledImagesOptions.ForChecking);
            foreach (var network in networks.Select(text => text.Split('=', 2)))
            {
                using var backbone = Backbone.Load(network[0], network.ElementAtOrDefault(1));
                using var blocks = new FeatureBlocks(backbone.Features());
                var set = blocks.Extract([.. photos.All], cache, bank: bank, cancellation: cancellation);
                foreach (var count in counts)
                {
                    for (var draw = 0; draw < draws; draw++)
                    {
                        if (rows.Exists(row => (row.Data, row.Network, row.Labels, row.Draw) == (name, network[0], count, draw))) continue;
                        foreach (var (method, accuracy, seconds, rounds) in Measure(set, photos.Classes.Count, count, draw, c, cancellation))
                        {
                            Row row = new(name, network[0], count, draw, method, accuracy, Math.Round(seconds, 2), rounds);
                            rows.Add(row);
                            file.WriteLine(JsonSerializer.Serialize(row));
                        }
                        Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {name} {network[0]} {count} {draw}");
                    }
                }
            }
        }
        Print(rows);
    }

    private static IEnumerable<(string, double, double, int)> Measure(FeatureSet set, int classes, int count, int draw, double c, CancellationToken cancellation)
    {
        int[] truth = [.. set.Images.Select(image => image.Class)];
        var random = new Random(1000 * count + draw);
        HashSet<int> drawn = [];
        foreach (var ofClass in Enumerable.Range(0, truth.Length).GroupBy(photo => truth[photo]))
        {
            var shuffled = ofClass.ToArray();
            random.Shuffle(shuffled);
            drawn.UnionWith(shuffled.Take(count));
        }
        int[] known = [.. drawn.Order()], open = [.. Enumerable.Range(0, truth.Length).Where(photo => !drawn.Contains(photo))];
        float[][] labeled = [.. known.Select(photo => set.Rows[photo])], unlabeled = [.. open.Select(photo => set.Rows[photo])];
        int[] labels = [.. known.Select(photo => truth[photo])];
        var classifier = new LogisticRegression { C = c };
        var clock = System.Diagnostics.Stopwatch.StartNew();
        double Accuracy(IReadOnlyList<float[]> answers) => answers.Zip(open, (row, photo) => Array.IndexOf(row, row.Max()) == truth[photo] ? 1.0 : 0).Average();
        double Of(FittedClassifier fitted) => Accuracy(fitted.Probabilities(unlabeled));

        var alone = classifier.Fit(labeled, labels, classes, cancellation: cancellation);
        yield return ("labels alone", Of(alone), clock.Elapsed.TotalSeconds, 0);
        clock.Restart();
        PartlyLabeled data = new(labeled, labels, classes, unlabeled);
        var method = new SelfTraining();
        if (set.Views.Count > 0)
        {
            var withViews = data with
            {
                LabeledViews = [.. set.Views.Select(rows => (IReadOnlyList<float[]>)[.. known.Select(photo => rows[photo])])],
                UnlabeledViews = [.. set.Views.Select(rows => (IReadOnlyList<float[]>)[.. open.Select(photo => rows[photo])])],
            };
            foreach (var (of, title) in ((PartlyLabeled, string)[])[(data, ""), (withViews, $", {set.Views.Count} views")])
            {
                clock.Restart();
                var (fitted, rounds, first) = Chosen(method, of);
                if (title.Length > 0) yield return ($"labels alone{title}", Of(first), 0, 0);
                yield return ($"self-training, rounds by cross-validation{title}", Of(fitted), clock.Elapsed.TotalSeconds, rounds);
            }
            yield break;
        }
        var result = method.Run(classifier, data, cancellation: cancellation);
        yield return ("self-training, all rounds", Of(result.After), clock.Elapsed.TotalSeconds, result.Rounds.Count);
        foreach (var each in PseudoLabeling.Methods)
        {
            clock.Restart();
            var (fitted, rounds, _) = Chosen(each, data);
            yield return ($"{each.Title}, rounds by cross-validation", Of(fitted), clock.Elapsed.TotalSeconds, rounds);
        }
        clock.Restart();
        int[] partial = [.. Enumerable.Range(0, truth.Length).Select(photo => drawn.Contains(photo) ? truth[photo] : -1)];
        var shares = new LabelSpreading().Spreading(NeighborGraph.Of(set.Rows, 10, cancellation), partial, classes, cancellation);
        yield return ("the graph's own answers", Accuracy([.. open.Select(photo => shares[photo])]), clock.Elapsed.TotalSeconds, 0);
        clock.Restart();
        yield return ("labels never taken back (scikit-learn's criterion, 0.75)", Of(new YarowskySelfTraining().Run(classifier, labeled, labels, classes, unlabeled, cancellation).After), clock.Elapsed.TotalSeconds, 0);

        (FittedClassifier Fitted, int Rounds, FittedClassifier First) Chosen(PseudoLabeling by, PartlyLabeled of)
        {
            var trial = by.Try(classifier, of, cancellation: cancellation);
            var run = by.Run(classifier, of, cancellation: cancellation);
            return (trial.Rounds == 0 || run.Rounds.Count == 0 ? run.Before : run.Rounds[Math.Min(trial.Rounds, run.Rounds.Count) - 1].Fitted, trial.Rounds, run.Before);
        }
    }

    private static void Print(List<Row> rows)
    {
        Console.WriteLine($"# {Machine.Describe()}");
        string[] methods = [.. rows.Select(row => row.Method).Distinct()];
        Console.WriteLine($"| photos | network | labels a class | draws | {string.Join(" | ", methods)} |\n|---|---|---|---|{string.Concat(methods.Select(_ => "---|"))}");
        foreach (var group in rows.GroupBy(row => (row.Data, row.Network, row.Labels)))
        {
            var alone = group.Where(row => row.Method == methods[0]).ToDictionary(row => row.Draw, row => 100 * row.Accuracy);
            string Cell(string method)
            {
                double[] values = [.. group.Where(row => row.Method == method).Select(row => 100 * row.Accuracy)];
                double[] gains = [.. group.Where(row => row.Method == method).Select(row => 100 * row.Accuracy - alone[row.Draw])];
                var error = gains.Length < 2 ? 0 : Math.Sqrt(gains.Sum(gain => Math.Pow(gain - gains.Average(), 2)) / (gains.Length - 1) / gains.Length);
                return string.Create(CultureInfo.InvariantCulture, $"{values.Average():0.0}{(method == methods[0] ? "" : $" ({gains.Average():+0.0;-0.0} ± {1.96 * error:0.0}, worst {gains.Min():+0.0;-0.0})")}");
            }
            Console.WriteLine($"| {group.Key.Data} | {group.Key.Network} | {group.Key.Labels} | {alone.Count} | {string.Join(" | ", methods.Select(Cell))} |");
        }
    }
}
