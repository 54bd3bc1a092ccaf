using System.Collections.Concurrent;
using Graft.Classifiers;
using Graft.Data.Collections;
using Graft.Evaluation;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks;
using Graft.Networks.Onnx;

namespace Graft.Export;

/// <summary>An exported model beside the trained one, photo by photo.</summary>
/// <param name="Named">Each photo that could be read, and the class that either model gives it.</param>
internal sealed record ParityCheck(ExportParity Parity, IReadOnlyList<(string Photo, string Trained, string Exported)> Named)
{
    private const double MarginOfDifferentClasses = 0.002;
    private const int PhotosForPixels = 32;

    /// <summary>Runs an exported file's content and the trained model over photos.</summary>
    /// <exception cref="GraftException">No photo can be read.</exception>
    public static ParityCheck Of(
        ImageClassifier classifier, byte[] exported, IReadOnlyList<string> photos, ExportOptions options, IProgress<StepProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        // As other runtimes run it: the file's own resize on the whole photo.
        var model = ModelProto.Parser.ParseFrom(exported);
        using var candidate = new GraphSession(model, options.Input == ExportInput.Tensor ? classifier.Preprocessing : null, [ModelMetadata.ProbabilitiesOutput]);
        using var inputs = options.Input == ExportInput.Photo ? new GraphSession(model, preprocessing: null, PhotoModel.NetworkInputs(classifier)) : null;
        var compared = new ConcurrentBag<(string Photo, double Largest, double Sum, double? Pixels, string Trained, string Exported, double Margin)>();
        var (done, skipped) = (0, 0);
        Parallel.For(0, photos.Count, new() { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, index =>
        {
            try
            {
                var photo = PhotoFile.Decode(photos[index]);
                var expected = classifier.Predict(photo);
                var found = candidate.Run(photo);
                var (largest, sum) = (0.0, 0.0);
                foreach (var (wanted, value) in expected.Probabilities.Zip(found))
                {
                    // NaN is as different as can be.
                    var difference = double.Abs(wanted - value) is var number && double.IsNaN(number) ? 1 : number;
                    (largest, sum) = (Math.Max(largest, difference), sum + difference);
                }
                double? pixels = inputs is null || index >= PhotosForPixels ? null : inputs.Run(photo, outputs => classifier.Blocks
                    .Select((block, number) => PixelDifference(block.Preprocessing, photo, outputs[number].GetTensorDataAsSpan<float>())).Max());
                var margin = expected.Ranking[0].Probability - (expected.Ranking.Count > 1 ? expected.Ranking[1].Probability : 0);
                compared.Add((photos[index], largest, sum, pixels, expected.Class, classifier.Classes[Array.IndexOf(found, found.Max())], margin));
            }
            catch (UnreadableImageException)
            {
                Interlocked.Increment(ref skipped);
            }
            var count = Interlocked.Increment(ref done);
            if (progress is not null)
                lock (compared) progress.Report(new("Check", count, photos.Count, "photos"));
        });
        if (compared.IsEmpty) throw NoPhotos(photos.Count);
        var worst = compared.MaxBy(photo => photo.Largest);
        var parity = new ExportParity(
            compared.Count, skipped, worst.Largest, compared.Sum(photo => photo.Sum) / ((double)compared.Count * classifier.Classes.Count),
            compared.Average(photo => photo.Pixels) ?? 0, BoundsOf(classifier, options), worst.Photo,
            [
                .. compared.Where(photo => photo.Trained != photo.Exported).OrderBy(photo => photo.Photo, StringComparer.Ordinal)
                    .Select(photo => new DifferentClass(photo.Photo, photo.Trained, photo.Exported, photo.Margin)),
            ]);
        return new(parity, [.. compared.Select(photo => (photo.Photo, photo.Trained, photo.Exported))]);
    }

    public static GraftException NoPhotos(int count) =>
        new($"None of the {count:N0} photos to check the export on can be read.") { Code = "no-check-photos" };

    /// <summary>Which of the photos with a known class either model names correctly.</summary>
    public (double Trained, double Exported, McNemarTest Test) Accuracy(IReadOnlyDictionary<string, string> labels)
    {
        var known = Named.Where(photo => labels.ContainsKey(photo.Photo)).ToList();
        bool[] trained = [.. known.Select(photo => photo.Trained == labels[photo.Photo])];
        bool[] exported = [.. known.Select(photo => photo.Exported == labels[photo.Photo])];
        return (trained.Count(isCorrect => isCorrect) / (double)known.Count, exported.Count(isCorrect => isCorrect) / (double)known.Count, McNemarTest.Of(trained, exported));
    }

    private static ParityBounds BoundsOf(ImageClassifier classifier, ExportOptions options)
    {
        // Of nearest neighbors, the last may be another one.
        var vote = classifier.Network.Layers.Select(layer => layer.Operation).OfType<NeighborVotes>().FirstOrDefault() is { } votes ? 1.0 / votes.Neighbors : 0;
        switch (options.Precision)
        {
            case ExportPrecision.Int8:
                // 8 bits move single probabilities of uncertain photos far, so that only averages and counts can be bounded. Half the sum over the
                // classes was 0.055 on average for MobileNetV2 on trashnet, the largest that was met.
                return new(1, 2 * (options.Bound ?? 0.1) / classifier.Classes.Count, 0.1 + 2 * vote, DifferentClasses: 0.05);
            case ExportPrecision.Float16:
                // Weights are off by up to 1 of 2,048, as are the logits.
                var wide = options.Bound ?? 0.02;
                return new(wide + vote, wide, wide + 2 * vote, DifferentClasses: 0);
            default:
                var bound = options.Bound ?? 0.005;
                return new(bound + vote, bound, MarginOfDifferentClasses + 2 * vote, DifferentClasses: 0);
        }
    }

    /// <summary>The mean, in steps of 1 of 255.</summary>
    private static double PixelDifference(Preprocessing preprocessing, RgbImage photo, ReadOnlySpan<float> found)
    {
        var expected = new float[preprocessing.InputLength];
        preprocessing.Apply(preprocessing.Resize(photo), expected);
        if (found.Length != expected.Length) return byte.MaxValue;
        var (sum, plane) = (0.0, expected.Length / 3);
        for (var index = 0; index < expected.Length; index++)
        {
            var difference = Math.Abs(expected[index] - found[index]) * preprocessing.StandardDeviation[index / plane] / preprocessing.Scale;
            sum += double.IsNaN(difference) ? byte.MaxValue : difference;
        }
        return sum / expected.Length;
    }
}
