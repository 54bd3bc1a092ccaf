using System.Diagnostics;
using Graft.Data.Collections;
using Graft.Inference;

namespace Graft.Export;

/// <summary>Measures what a precision below float32 costs and gains.</summary>
internal static class PrecisionMeasurement
{
    private const int Rounds = 25, Warmup = 3;

    /// <param name="exported">The file's content.</param>
    /// <param name="exact">The same of float32.</param>
    /// <param name="labels">By photo: its class; null where they are unknown.</param>
    public static PrecisionReport Of(
        ParityCheck check, byte[] exported, byte[] exact, IReadOnlyList<string> photos, IReadOnlyDictionary<string, string>? labels, ExportPrecision precision,
        QuantizationChoice? int8)
    {
        var photo = PhotoFile.Decode(check.Named[0].Photo);
        using var candidate = Classifier.Open(exported);
        using var reference = Classifier.Open(exact);
        var (seconds, secondsExact) = (new List<double>(), new List<double>());
        for (var round = -Warmup; round < Rounds; round++)
        {
            // In turns, so that what else the machine does slows both.
            var (one, other) = (Seconds(candidate), Seconds(reference));
            if (round < 0) continue;
            seconds.Add(one);
            secondsExact.Add(other);
        }
        var accuracy = labels is null ? default : check.Accuracy(labels);
        return new(
            precision, exported.Length, exact.Length, 1 / Median(seconds), 1 / Median(secondsExact), labels is null ? null : accuracy.Exported,
            labels is null ? null : accuracy.Trained, accuracy.Test, int8);

        double Seconds(Classifier classifier)
        {
            var watch = Stopwatch.StartNew();
            classifier.Predict(photo);
            return watch.Elapsed.TotalSeconds;
        }

        static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
    }
}
