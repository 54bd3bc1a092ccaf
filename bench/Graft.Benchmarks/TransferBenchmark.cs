using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Graft.Classifiers;
using Graft.ParityTests.Transfer;
using Graft.Testing;
using Graft.Transfer;

namespace Graft.Benchmarks;

/// <summary>The published tables on Office-Caltech10 and mushrooms, and the same methods on features of MobileNetV2.</summary>
internal static class TransferBenchmark
{
    private const string MobileNet = "reference/transfer/data/office_caltech10_mobilenetv2_1280.npz";

    private static readonly string[] Domains = ["caltech", "amazon", "webcam", "dslr"];

    private static IEnumerable<(string Source, string Target)> Pairs =>
        Domains.SelectMany(source => Domains.Where(target => target != source).Select(target => (source, target)));

    public static Command Create()
    {
        var table = new Argument<string>("TABLE") { Description = "jda, coral, mushrooms or mobilenet" };
        table.AcceptOnlyFromAmong("jda", "coral", "mushrooms", "mobilenet");
        var methods = new Option<string[]>("--methods") { DefaultValueFactory = _ => ["pool", "mean", "coral", "monge", "subspace", "density", "tca", "jda"], AllowMultipleArgumentsPerToken = true };
        var command = new Command("transfer", "Published tables of transfer between sources, and the same methods on features of MobileNetV2") { table, methods };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                Graft.Networks.LibtorchLoader.Require();
                switch (parsed.GetRequiredValue(table))
                {
                    case "jda": Joint(cancellation); break;
                    case "coral": Aligned(cancellation); break;
                    case "mushrooms": OfMushrooms(cancellation); break;
                    default: OfMobileNet(parsed.GetRequiredValue(methods), cancellation); break;
                }
            },
            cancellation));
        return command;
    }

    private static void Joint(CancellationToken cancellation)
    {
        Say("| pair | NN | PCA | TCA | JDA | JDA, seconds |");
        foreach (var (source, target) in Pairs)
        {
            using var scope = TorchSharp.torch.NewDisposeScope();
            var (xs, ys) = OfficeSurf.Domain(source);
            var (xt, yt) = OfficeSurf.Domain(target);
            var clock = Stopwatch.StartNew();
            var joint = OfficeSurf.Joint.Solve(xs, xt, ys, [], 10, cancellation).Labels[^1];
            var seconds = clock.Elapsed.TotalSeconds;
            int[][] predicted = [OfficeSurf.Nearest(xs, ys, xt), OfficeSurf.NearestOnAxes(xs, ys, xt), OfficeSurf.Components.Solve(xs, xt, ys, [], 10, cancellation).Labels[^1], joint];
            Say($"| {source} > {target} | {string.Join(" | ", predicted.Select(labels => Percent(Correct(labels, yt), yt.Length)))} | {seconds.ToString("0.0", CultureInfo.InvariantCulture)} |");
        }
    }

    /// <summary>Mean of ten draws, and their standard deviation.</summary>
    private static void Aligned(CancellationToken cancellation)
    {
        Say("| pair | linear SVM | after CORAL |");
        foreach (var (source, target) in Pairs)
        {
            using var scope = TorchSharp.torch.NewDisposeScope();
            var (from, to) = (OfficeSurf.Domain(source), OfficeSurf.Domain(target));
            var draws = Enumerable.Range(1, 10).Select(draw => OfficeSurf.AfterCoral(from, to, draw, cancellation)).ToList();
            Say($"| {source} > {target} | {OfDraws(draws.Select(draw => draw.AsTheyAre))} | {OfDraws(draws.Select(draw => draw.Aligned))} |");
        }

        static string OfDraws(IEnumerable<double> shares)
        {
            double[] values = [.. shares];
            var mean = values.Average();
            var deviation = Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1));
            return string.Create(CultureInfo.InvariantCulture, $"{100 * mean:0.0} ± {100 * deviation:0.0}");
        }
    }

    private static void OfMushrooms(CancellationToken cancellation)
    {
        Say("| split | | SVM | SVMt | AUX | TrAdaBoost |");
        for (var split = 0; split < 3; split++)
        {
            var (data, others, truth) = Mushrooms.Split(split);
            TransferFit[] fits =
            [
                new Pooling().Fit(data with { Target = [], TargetLabels = [] }, Mushrooms.Learner, cancellation: cancellation),
                new Pooling().Fit(data, Mushrooms.Learner, cancellation: cancellation),
                new BalancedWeighting { Share = 4 }.Fit(data, Mushrooms.Learner, cancellation: cancellation),
                new TrAdaBoost { Rounds = 100 }.Fit(data, Mushrooms.Learner, cancellation: cancellation),
            ];
            Say($"| {split} | published | {string.Join(" | ", Mushrooms.Published(split).Select(Error))} |");
            Say($"| {split} | here | {string.Join(" | ", fits.Select(fit => Error(1 - AutomaticTransfer.Accuracy(fit.Classifier, others, truth, 2))))} |");
        }

        static string Error(double error) => error.ToString("0.0000", CultureInfo.InvariantCulture);
    }

    /// <summary>No photo of the target has a label; the classifier is the method's default.</summary>
    private static void OfMobileNet(string[] names, CancellationToken cancellation)
    {
        Say($"| pair | {string.Join(" | ", names)} |");
        var sums = new int[names.Length];
        var gains = new (int Gained, int Lost)[names.Length];
        var all = 0;
        var seconds = new double[names.Length];
        foreach (var (source, target) in Pairs)
        {
            var (xs, ys) = Features(source);
            var (xt, yt) = Features(target);
            var data = new TransferData { Source = xs, SourceLabels = ys, Unlabeled = xt, Classes = 10 };
            var right = names.Select((name, index) =>
            {
                var clock = Stopwatch.StartNew();
                var method = TransferCatalog.Find(name);
                var fit = method.Fit(data, method.DefaultClassifier with { Calibrate = false }, cancellation: cancellation);
                seconds[index] += clock.Elapsed.TotalSeconds;
                using var scope = TorchSharp.torch.NewDisposeScope();
                var values = TorchSharp.torch.tensor(xt.SelectMany(row => row).ToArray()).view(xt.Length, -1);
                var predicted = fit.Classifier.Outputs(new FeatureMatrix(values, yt, 10)).argmax(1).data<long>().ToArray();
                return predicted.Zip(yt).Select(pair => pair.First == pair.Second).ToArray();
            }).ToArray();
            all += yt.Length;
            for (var index = 0; index < names.Length; index++)
            {
                sums[index] += right[index].Count(correct => correct);
                gains[index].Gained += right[index].Zip(right[0]).Count(pair => pair is (true, false));
                gains[index].Lost += right[index].Zip(right[0]).Count(pair => pair is (false, true));
            }
            Say($"| {source} > {target} | {string.Join(" | ", right.Select(correct => Percent(correct.Count(value => value), yt.Length)))} |");
        }
        Say($"| all photos | {string.Join(" | ", sums.Select(sum => Percent(sum, all)))} |");
        Say($"| difference to {names[0]}, 95 % CI | {string.Join(" | ", gains.Select(gain => Difference(gain, all)))} |");
        Say($"| seconds, 12 fits | {string.Join(" | ", seconds.Select(value => value.ToString("0", CultureInfo.InvariantCulture)))} |");
    }

    /// <summary>Of a paired difference of proportions, by its normal approximation.</summary>
    private static string Difference((int Gained, int Lost) gain, int all)
    {
        var (difference, changed) = ((double)(gain.Gained - gain.Lost) / all, (double)(gain.Gained + gain.Lost) / all);
        var half = 1.96 * Math.Sqrt(Math.Max(0, changed - difference * difference) / all);
        return string.Create(CultureInfo.InvariantCulture, $"{100 * difference:+0.0;-0.0} ({100 * (difference - half):+0.0;-0.0} to {100 * (difference + half):+0.0;-0.0})");
    }

    private static (float[][] Rows, int[] Labels) Features(string domain)
    {
        var path = SharedFolder.Path(MobileNet);
        var array = NumpyFile.Load<float>(path, $"{domain}_x");
        return ([.. array.Values.Chunk(array.Shape[1])], NumpyFile.Load<int>(path, $"{domain}_y").Values);
    }

    private static int Correct(int[] predicted, int[] truth) => predicted.Zip(truth).Count(pair => pair.First == pair.Second);

    private static string Percent(int correct, int all) => (100.0 * correct / all).ToString("0.00", CultureInfo.InvariantCulture);

    private static void Say(string line) => Console.Out.WriteLine(line);
}
