using System.Collections.Concurrent;
using Graft.Data.Collections;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks.Onnx;

namespace Graft.Export;

/// <summary>How a graph was quantized to 8 bits.</summary>
/// <param name="Ranges"><c>percentile</c> or <c>entropy</c>: how the ranges of the activations were found.</param>
/// <param name="FloatLayers">Layers with weights that stay float32.</param>
/// <param name="Photos">How many photos the ranges were measured on; as many others chose between the ways.</param>
public sealed record QuantizationChoice(string Ranges, IReadOnlyList<string> FloatLayers, int Photos);

/// <summary>
/// Static quantization: the ranges of the activations are measured on one half of the calibration photos. Of the ways to choose them, and to keep the first
/// and the last layer in float32 or not, the one is taken whose answers to the other half are most like the float32 model's, so that validation
/// photos have no part in the choice.
/// </summary>
internal static class Int8Quantization
{
    private const int MostPhotos = 256;
    private const double KeptShare = 0.9999;

    /// <summary>
    /// Photos of other classes, as a share, from which on the ends stay float32 if that is better.
    /// </summary>
    private const double AcceptedDisagreement = 0.01;

    /// <param name="model">Of float32; not changed.</param>
    /// <param name="preprocessing">Of a graph that takes a tensor; null where it takes photos.</param>
    /// <exception cref="GraftException">Too few photos can be read, or there is no layer to quantize.</exception>
    public static (ModelProto Model, QuantizationChoice Choice) Of(
        ModelProto model, Preprocessing? preprocessing, IReadOnlyList<string> photos, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var whole = new QuantizedGraph(model, keepsEnds: false);
        if (!whole.HasLayers)
            throw new GraftException("The model has no convolution or dense layer whose weights are in the file, so there is nothing to quantize.") { Code = "nothing-to-quantize" };
        var step = Math.Max(1.0, (double)photos.Count / MostPhotos);
        string[] chosen = [.. Enumerable.Range(0, Math.Min(photos.Count, MostPhotos)).Select(index => photos[(int)(index * step)])];
        // Photos are often sorted by class: every other one.
        string[] measured = [.. chosen.Where((_, index) => index % 2 == 0)], compared = [.. chosen.Where((_, index) => index % 2 == 1)];
        if (compared.Length == 0) compared = measured;

        string[] tensors = [.. whole.Measured.Union(new QuantizedGraph(model, keepsEnds: true).Measured)];
        var histograms = tensors.ToDictionary(tensor => tensor, _ => new ActivationHistogram(), StringComparer.Ordinal);
        int read;
        using (var session = new GraphSession(model, preprocessing, tensors))
        {
            read = OverPhotos("Calibrate", measured, photo => session.Run(photo, outputs =>
            {
                for (var index = 0; index < outputs.Count; index++)
                {
                    var shape = outputs[index].GetTensorTypeAndShape().Shape;
                    histograms[tensors[index]].Add(outputs[index].GetTensorDataAsSpan<float>(), shape.Length > 1 ? (int)shape[1] : 1);
                }
                return true;
            }), progress, cancellation).Count;
        }
        if (read == 0) throw new GraftException($"None of the {measured.Length:N0} photos to calibrate on can be read.") { Code = "no-calibration-photos" };
        var means = histograms.ToDictionary(pair => pair.Key, pair => pair.Value.Means, StringComparer.Ordinal);
        (string Name, Dictionary<string, ActivationRange> Ranges)[] ways =
        [
            ("percentile", histograms.ToDictionary(pair => pair.Key, pair => pair.Value.Percentile(KeptShare), StringComparer.Ordinal)),
            ("entropy", histograms.ToDictionary(pair => pair.Key, pair => pair.Value.Entropy(), StringComparer.Ordinal)),
        ];

        using var exact = new GraphSession(model, preprocessing, [ModelMetadata.ProbabilitiesOutput]);
        var expected = OverPhotos("Compare", compared, exact.Run, progress, cancellation);
        var candidates = ways.Select(way => Candidate(way, keepsEnds: false)).ToList();
        var best = candidates.OrderBy(candidate => candidate.Different).ThenBy(candidate => candidate.Difference).First();
        if (best.Different > AcceptedDisagreement * expected.Count)
        {
            var ends = Candidate(ways.Single(way => way.Name == best.Choice.Ranges), keepsEnds: true);
            if (ends.Different < best.Different) best = ends;
        }
        return (best.Model, best.Choice);

        (ModelProto Model, QuantizationChoice Choice, int Different, double Difference) Candidate((string Name, Dictionary<string, ActivationRange> Ranges) way, bool keepsEnds)
        {
            var graph = new QuantizedGraph(model, keepsEnds);
            var quantized = graph.Write(way.Ranges, means);
            using var session = new GraphSession(quantized, preprocessing, [ModelMetadata.ProbabilitiesOutput]);
            var found = OverPhotos("Compare", compared, session.Run, progress, cancellation);
            var pairs = found.Join(expected, one => one.Photo, other => other.Photo, (one, other) => (Found: one.Result, Expected: other.Result)).ToList();
            return (
                quantized, new(way.Name, graph.FloatLayers, read),
                pairs.Count(pair => Array.IndexOf(pair.Found, pair.Found.Max()) != Array.IndexOf(pair.Expected, pair.Expected.Max())),
                pairs.Sum(pair => pair.Found.Zip(pair.Expected, (one, other) => double.IsNaN(one) ? 1 : Math.Abs(one - other)).Sum()));
        }
    }

    /// <summary>Of the photos that can be read.</summary>
    private static ConcurrentBag<(string Photo, T Result)> OverPhotos<T>(
        string step, string[] photos, Func<RgbImage, T> work, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var results = new ConcurrentBag<(string, T)>();
        var done = 0;
        Parallel.ForEach(photos, new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, photo =>
        {
            try
            {
                results.Add((photo, work(PhotoFile.Decode(photo))));
            }
            catch (UnreadableImageException)
            {
                // Training told of it, or the check does.
            }
            var count = Interlocked.Increment(ref done);
            if (progress is not null)
                lock (results) progress.Report(new(step, count, photos.Length, "photos"));
        });
        return results;
    }
}
