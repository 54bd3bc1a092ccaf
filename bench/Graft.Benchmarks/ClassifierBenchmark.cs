using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Graft.Classifiers;
using Graft.Networks;
using Graft.Testing;
using Graft.Training;

namespace Graft.Benchmarks;

/// <summary>
/// Seconds to fit each classifier, the objective reached and the accuracy, on features of an .npz file (x_train, y_train, x_test,
/// y_test). Beside it: bench/peers/classifiers.py on the same file.
/// </summary>
internal static class ClassifierBenchmark
{
    private const int Repetitions = 3;

    public static Command Create()
    {
        var features = new Argument<string>("FEATURES") { Description = "An .npz file with x_train, y_train, x_test and y_test" };
        var only = new Option<string[]>("--only") { Description = "Classifiers to fit, such as logistic or \"svm --C auto\"; default all" };
        var command = new Command("classifiers", "Fits each classifier on the features of a file.") { features, only };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(features), parsed.GetValue(only) ?? []));
        return command;
    }

    private static int Run(string path, string[] names)
    {
        var (train, trainLabels) = Load(path, "train");
        var (test, testLabels) = Load(path, "test");
        var classes = trainLabels.Max() + 1;
        FeatureClassifier[] all =
        [
            new LogisticRegression(), new LogisticRegression { C = null }, new LinearSvm(), new LinearSvm { C = null },
            new RbfSvm(), new RbfSvm { C = null }, new GaussianNaiveBayes(), new NearestNeighbors(), new NearestClassMean(),
        ];
        var features = new Network("features", [new("features", new Input(train[0].Length, 0, 0), [])]);
        Console.WriteLine($"{train.Count:N0} × {train[0].Length:N0}, {classes} classes; {test.Count:N0} to test; seconds are the best of {Repetitions}");
        foreach (var classifier in all)
        {
            var isAuto = classifier is RegularizedClassifier { C: null };
            var name = classifier.Name + (isAuto ? " --C auto" : "");
            if (names.Length > 0 && !names.Contains(name)) continue;
            var seconds = double.PositiveInfinity;
            FittedClassifier fitted = null!;
            for (var repetition = 0; repetition < (isAuto ? 1 : Repetitions); repetition++)
            {
                var clock = Stopwatch.StartNew();
                fitted = classifier.Fit(train, trainLabels, classes);
                seconds = Math.Min(seconds, clock.Elapsed.TotalSeconds);
            }
            using var head = fitted.ToModule(features);
            var outputs = Trainer.Outputs(head, new ExamplesInMemory(test, testLabels), batchSize: 256);
            var right = outputs.Where((row, index) => Array.IndexOf(row, row.Max()) == testLabels[index]).Count();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-20} {seconds,8:0.000} s   accuracy {100.0 * right / test.Count:0.00} %   objective {fitted.Facts.GetValueOrDefault("objective"):0.000000}, solver {fitted.Facts.GetValueOrDefault("solver_seconds"):0.000} s   {fitted.Summary}"));
        }
        return 0;
    }

    private static (List<float[]> Rows, int[] Labels) Load(string path, string part)
    {
        var values = NumpyFile.Load<float>(path, $"x_{part}");
        var labels = NumpyFile.Load<long>(path, $"y_{part}");
        return ([.. values.Values.Chunk(values.Shape[1])], [.. labels.Values.Select(label => (int)label)]);
    }
}
