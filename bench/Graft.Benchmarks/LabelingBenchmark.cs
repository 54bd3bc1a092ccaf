using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Unlabeled;

namespace Graft.Benchmarks;

/// <summary>
/// How far labels can be trusted: whether a promised precision is kept and at what coverage; how many photos of another data set stay unlabeled; and how fast the label queue
/// learns beside random choice. All on cached features, with logistic regression.
/// </summary>
internal static class LabelingBenchmark
{
    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "Photos as NAME=DIR; repeat", HelpName = "NAME=DIR", Required = true };
        var others = new Option<string>("--others") { Description = "Photos of none of the classes", Required = true };
        var network = new Option<string>("--network") { HelpName = "NAME[=FILE]", Required = true };
        var draws = new Option<int>("--draws") { DefaultValueFactory = _ => 5 };
        var queueDraws = new Option<int>("--queue-draws") { DefaultValueFactory = _ => 10 };
        var c = new Option<double>("--C") { DefaultValueFactory = _ => 0.01 };
        var command = new Command("labeling", "Promised precision, photos of none of the classes, and what to label next") { data, others, network, draws, queueDraws, c };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(
                parsed.GetRequiredValue(data), parsed.GetRequiredValue(others), parsed.GetRequiredValue(network), parsed.GetValue(draws), parsed.GetValue(queueDraws), parsed.GetValue(c),
                cancellation),
            cancellation));
        return command;
    }

    private static void Run(string[] data, string others, string network, int draws, int queueDraws, double c, CancellationToken cancellation)
    {
        Console.WriteLine($"# {Machine.Describe()}");
        using var cache = FeatureCache.Open();
        var parts = network.Split('=', 2);
        using var backbone = Backbone.Load(parts[0], parts.ElementAtOrDefault(1));
        using var blocks = new FeatureBlocks(backbone.Features());
        var strange = blocks.Extract([.. PhotoPaths.Find(others).Photos.Select(path => new LabeledImage(path, 0))], cache, cancellation: cancellation).Rows;
        var classifier = new LogisticRegression { C = c };
        foreach (var (name, folder) in data.Select(text => (text.Split('=', 2)[0], text.Split('=', 2)[1])))
        {
            var photos = LabeledImages.Load(folder, LabeledImagesOptions.ForChecking);
            var set = blocks.Extract([.. photos.All], cache, cancellation: cancellation);
            int[] truth = [.. set.Images.Select(image => image.Class)];
            foreach (var precision in (double[])[0.95, 0.98]) Precision(name, set.Rows, truth, photos.Classes.Count, classifier, precision, draws, cancellation);
            if (Path.GetFullPath(folder) != Path.GetFullPath(others)) Others(name, set.Rows, truth, strange, draws);
            Queue(name, set.Rows, truth, photos.Classes.Count, classifier, queueDraws, cancellation);
        }
    }

    /// <summary>Half of the photos are labeled; thresholds by cross-validation on them; the other half is labeled.</summary>
    private static void Precision(string name, IReadOnlyList<float[]> rows, int[] truth, int classes, FeatureClassifier classifier, double precision, int draws, CancellationToken cancellation)
    {
        var (kept, promised, labeled, all, right) = (0, 0, 0, 0, 0);
        for (var draw = 0; draw < draws; draw++)
        {
            var (known, open) = StratifiedSplit.Of(truth, 0.5, seed: 100 + draw);
            float[][] features = [.. known.Select(photo => rows[photo])];
            int[] labels = [.. known.Select(photo => truth[photo])];
            var answers = new (int, double)[known.Length];
            for (var fold = 0; fold < 5; fold++)
            {
                int[] held = [.. Enumerable.Range(0, known.Length).Where(photo => photo % 5 == fold)], rest = [.. Enumerable.Range(0, known.Length).Where(photo => photo % 5 != fold)];
                var fitted = classifier.Fit([.. rest.Select(photo => features[photo])], [.. rest.Select(photo => labels[photo])], classes, cancellation: cancellation);
                foreach (var (row, photo) in fitted.Probabilities([.. held.Select(photo => features[photo])]).Zip(held)) answers[photo] = (Array.IndexOf(row, row.Max()), row.Max());
            }
            var thresholds = PrecisionThresholds.Of(answers, labels, classes, precision);
            var model = classifier.Fit(features, labels, classes, cancellation: cancellation);
            var given = model.Probabilities([.. open.Select(photo => rows[photo])]).Zip(open, (row, photo) => (Class: Array.IndexOf(row, row.Max()), Probability: (double)row.Max(), Truth: truth[photo]))
                .Where(label => label.Probability >= (thresholds[label.Class].Threshold ?? 2)).ToList();
            (labeled, all, right) = (labeled + given.Count, all + open.Length, right + given.Count(label => label.Class == label.Truth));
            foreach (var ofClass in given.GroupBy(label => label.Class))
            {
                promised++;
                if (ofClass.Average(label => label.Class == label.Truth ? 1.0 : 0) >= precision) kept++;
            }
        }
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {precision} | {kept} of {promised} classes × draws keep it | {(labeled == 0 ? 0 : 100.0 * right / labeled):0.0} % right | {100.0 * labeled / all:0} % labeled |"));
    }

    /// <summary>Four fifths are trained on, a fifth says where a photo becomes unlike.</summary>
    private static void Others(string name, IReadOnlyList<float[]> rows, int[] truth, IReadOnlyList<float[]> strange, int draws)
    {
        for (var draw = 0; draw < draws; draw++)
        {
            var (known, test) = StratifiedSplit.Of(truth, 0.25, seed: 200 + draw);
            var (train, validation) = StratifiedSplit.Of([.. known.Select(photo => truth[photo])], 0.25, seed: 200 + draw);
            var novelty = Novelty.Of(
                [.. train.Select(photo => rows[known[photo]])], [.. train.Select(photo => truth[known[photo]])], [.. validation.Select(photo => rows[known[photo]])],
                [.. validation.Select(photo => truth[known[photo]])])!;
            foreach (var refuse in (double[])[0.02, 0.05])
            {
                var cut = novelty.Cut(refuse) ?? double.PositiveInfinity;
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | draw {draw} | refuse {refuse} | {novelty.Measure} | {100 * novelty.Distances([.. test.Select(photo => rows[photo])]).Average(far => far > cut ? 1.0 : 0):0.0} % of own refused | {100 * novelty.Distances(strange).Average(far => far > cut ? 1.0 : 0):0.0} % of others refused |"));
            }
        }
    }

    /// <summary>Two labels of each class at first; accuracy on a fifth apart after so many answers more.</summary>
    private static void Queue(string name, IReadOnlyList<float[]> rows, int[] truth, int classes, FeatureClassifier classifier, int draws, CancellationToken cancellation)
    {
        int[] answers = [50, 100, 200];
        var sums = new double[2, answers.Length];
        var differences = answers.Select(_ => new List<double>()).ToArray();
        for (var draw = 0; draw < draws; draw++)
        {
            var (pool, test) = StratifiedSplit.Of(truth, 0.2, seed: 300 + draw);
            int[] first = [.. pool.GroupBy(photo => truth[photo]).SelectMany(ofClass => ofClass.OrderBy(photo => (photo * 7919 + draw * 104729) % 100003).Take(2))];
            float[][] tests = [.. test.Select(photo => rows[photo])];
            var results = new double[2, answers.Length];
            foreach (var method in (int[])[0, 1])
            {
                List<int> known = [.. first];
                var random = new Random(draw);
                for (var step = 0; step < answers.Length; step++)
                {
                    // Answers come in batches of 25, the model being fitted anew before each.
                    while (known.Count < first.Length + answers[step])
                    {
                        var open = pool.Except(known).ToArray();
                        if (method == 0)
                        {
                            random.Shuffle(open);
                            known.AddRange(open.Take(25));
                        }
                        else
                        {
                            float[][] unlabeled = [.. open.Select(photo => rows[photo])];
                            var says = Fitted().Probabilities(unlabeled);
                            known.AddRange(new ActiveSelection { Count = 25 }.Next(unlabeled, says, [.. known.Select(photo => rows[photo])], draw, cancellation).Select(next => open[next.Photo]));
                        }
                    }
                    results[method, step] = 100 * Fitted().Probabilities(tests).Zip(test, (row, photo) => Array.IndexOf(row, row.Max()) == truth[photo] ? 1.0 : 0).Average();
                    sums[method, step] += results[method, step] / draws;
                }

                FittedClassifier Fitted() => classifier.Fit([.. known.Select(photo => rows[photo])], [.. known.Select(photo => truth[photo])], classes, cancellation: cancellation);
            }
            for (var step = 0; step < answers.Length; step++) differences[step].Add(results[1, step] - results[0, step]);
        }
        for (var step = 0; step < answers.Length; step++)
        {
            var mean = differences[step].Average();
            var error = Math.Sqrt(differences[step].Sum(value => Math.Pow(value - mean, 2)) / Math.Max(1, draws - 1) / draws);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {answers[step]} answers | random {sums[0, step]:0.0} % | queue {sums[1, step]:0.0} % | {mean:+0.0;-0.0} ± {1.96 * error:0.0} |"));
        }
    }
}
