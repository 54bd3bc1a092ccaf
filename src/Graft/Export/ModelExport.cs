using System.Collections.Concurrent;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Google.Protobuf;
using Graft.Classifiers;
using Graft.Export.Web;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks;
using Graft.Networks.Onnx;

namespace Graft.Export;

/// <summary>Writes a classifier as one ONNX file that answers as the classifier does, and shows that it does before it is there.</summary>
public static class ModelExport
{
    private const int Examples = 3, ExampleSidePixels = 320, GeneratedPhotos = 8;
    private const double MarginOfDifferentClasses = 0.002;

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>
    /// Exports a model: the file, with preprocessing, network, classifier and metadata in it, and beside it <c>labels.txt</c>,
    /// <c>MODEL_CARD.md</c>, <c>parity.json</c> and the three photos of it in <c>parity/</c>. Before anything is written, the file is run over
    /// photos, from their files on, and compared with the trained model.
    /// </summary>
    /// <param name="path">A new file, or with <see cref="ExportOptions.For"/> a new folder; the folders that lead to it are created.</param>
    /// <exception cref="ExportParityException">The exported model differs by more than the bound; nothing is written.</exception>
    /// <exception cref="GraftException">
    /// Unsuitable options, a part without a counterpart in ONNX, no readable photo, files that are there already, or a full disk: nothing is
    /// written.
    /// </exception>
    public static ExportResult Export(
        this ImageClassifier classifier, string path, ExportOptions? options = null, IProgress<StepProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new();
        if (options.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        if (options.For == ExportTarget.TransformersJs) options = options with { Input = ExportInput.PixelValues };
        var files = new ExportFiles(path, options.For);
        var model = PhotoModel.Of(classifier, options);
        using var generated = options.CheckPhotos is null ? new GeneratedPhotos(GeneratedPhotos) : null;
        var photos = options.CheckPhotos ?? generated!.Paths;
        var bound = BoundOf(classifier, options);
        var examples = ExamplesOf(classifier, photos);
        var metadata = PhotoModel.Metadata(classifier, options, new(bound, [.. examples.Select(example => new VerificationPhoto(example.Jpeg, example.Probabilities))]));
        foreach (var (key, value) in metadata) model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        var content = model.ToByteArray();

        var parity = Compare(classifier, content, photos, options, progress, cancellation);
        if (!parity.IsPassed) throw new ExportParityException(parity);
        using (var exported = Classifier.Open(content))
        {
            if (exported.Verify() is { IsPassed: false } verification)
                throw new ExportParityException(parity with { LargestDifference = verification.LargestDifference, WorstPhoto = "a photo in the file" });
        }
        files.Add(files.Model, content);
        files.Add("labels.txt", Encoding.UTF8.GetBytes(string.Concat(classifier.Classes.Select(name => $"{name.ReplaceLineEndings(" ")}\n"))));
        files.Add("MODEL_CARD.md", Encoding.UTF8.GetBytes(ModelCard.Of(classifier, files.Name, files.Model, content.Length, options, parity)));
        files.Add("parity.json", JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                files.Model,
                CheckedOn = generated is null ? "photos" : "generated pictures",
                parity.Photos,
                parity.Skipped,
                parity.LargestDifference,
                parity.MeanDifference,
                parity.Bound,
                WorstPhoto = generated is null ? Shown(parity.WorstPhoto) : null,
                parity.MarginOfDifferentClasses,
                DifferentClasses = parity.DifferentClasses.Select(photo => photo with { Photo = Shown(photo.Photo) }),
                classifier.Classes,
                Examples = examples.Select((example, index) => new { Photo = ExampleName(index), example.Probabilities }),
            },
            Json));
        for (var index = 0; index < examples.Count; index++) files.Add(ExampleName(index), examples[index].Jpeg);
        foreach (var (name, file) in Around(files.Name, classifier, options)) files.Add(name, file);
        return new(files.Write(), content.Length, parity);

        // The file may be published; where the photos lie concerns nobody.
        static string Shown(string photo) => $"{Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(photo)))}/{Path.GetFileName(photo)}";
        static string ExampleName(int index) => $"parity/photo{index + 1}.jpg";
    }

    /// <summary>What the target expects beside the model.</summary>
    private static IEnumerable<(string Name, byte[] Content)> Around(string name, ImageClassifier classifier, ExportOptions options)
    {
        var preprocessing = classifier.Blocks[0].Preprocessing;
        long[] sizes = options.Input == ExportInput.Photo ? [1, -1, -1, 3] : [1, 3, preprocessing.InputHeight, preprocessing.InputWidth];
        return options.For switch
        {
            ExportTarget.Web => WebFolder.Files(),
            ExportTarget.Triton => [("config.pbtxt", TritonFolder.Configuration(name, options.Input, sizes, classifier.Classes.Count))],
            ExportTarget.TransformersJs => TransformersJsFolder.Files(classifier.Classes),
            _ => [],
        };
    }

    /// <summary>Runs an exported file's content and the trained model over photos.</summary>
    internal static ExportParity Compare(
        ImageClassifier classifier, byte[] exported, IReadOnlyList<string> photos, ExportOptions options, IProgress<StepProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        using var candidate = Classifier.Open(exported, new() { Threads = 1 });
        var compared = new ConcurrentBag<(string Photo, double Largest, double Sum, DifferentClass? Different)>();
        var (done, skipped) = (0, 0);
        var votes = VotesOf(classifier);
        Parallel.ForEach(photos, new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, photo =>
        {
            try
            {
                var expected = classifier.Predict(photo);
                var found = candidate.Predict(photo);
                var (largest, sum) = (0.0, 0.0);
                foreach (var (wanted, value) in expected.Probabilities.Zip(found.Probabilities))
                {
                    // NaN is as different as can be.
                    var difference = double.Abs(wanted - value) is var number && double.IsNaN(number) ? 1 : number;
                    (largest, sum) = (Math.Max(largest, difference), sum + difference);
                }
                var margin = expected.Ranking[0].Probability - (expected.Ranking.Count > 1 ? expected.Ranking[1].Probability : 0);
                compared.Add((photo, largest, sum, expected.Class == found.Class ? null : new(photo, expected.Class, found.Class, margin)));
            }
            catch (UnreadableImageException)
            {
                Interlocked.Increment(ref skipped);
            }
            var count = Interlocked.Increment(ref done);
            if (progress is not null)
                lock (compared) progress.Report(new("Check", count, photos.Count, "photos"));
        });
        if (compared.IsEmpty) throw new GraftException($"None of the {photos.Count:N0} photos to check the export on can be read.") { Code = "no-check-photos" };
        var worst = compared.MaxBy(photo => photo.Largest);
        var mean = compared.Sum(photo => photo.Sum) / ((double)compared.Count * classifier.Classes.Count);
        var parity = new ExportParity(
            compared.Count, skipped, worst.Largest, mean, BoundOf(classifier, options),
            votes is { } neighbors ? 2.0 / neighbors + MarginOfDifferentClasses : MarginOfDifferentClasses, worst.Photo,
            [.. compared.Select(photo => photo.Different).OfType<DifferentClass>().OrderBy(photo => photo.Photo, StringComparer.Ordinal)]);
        // One vote of a few photos may go elsewhere, but not of many.
        return votes is null || mean <= options.Bound ? parity : parity with { Bound = options.Bound };
    }

    private static double BoundOf(ImageClassifier classifier, ExportOptions options) =>
        VotesOf(classifier) is { } neighbors ? options.Bound + 1.0 / neighbors : options.Bound;

    /// <summary>How many neighbors vote; null for other classifiers.</summary>
    private static int? VotesOf(ImageClassifier classifier) =>
        classifier.Network.Layers.Select(layer => layer.Operation).OfType<NeighborVotes>().FirstOrDefault()?.Neighbors;

    /// <summary>Small copies of the first readable photos, spread over the list, and what the trained model says of them.</summary>
    private static List<(byte[] Jpeg, float[] Probabilities)> ExamplesOf(ImageClassifier classifier, IReadOnlyList<string> photos)
    {
        var examples = new List<(byte[] Jpeg, float[] Probabilities)>();
        // One of each third, then those after them.
        var stride = Math.Max(1, (photos.Count + Examples - 1) / Examples);
        foreach (var photo in Enumerable.Range(0, stride).SelectMany(first => Enumerable.Range(0, Examples).Select(third => first + third * stride))
            .Where(index => index < photos.Count).Select(index => photos[index]))
        {
            if (examples.Count == Examples) break;
            try
            {
                var jpeg = JpegEncoder.EncodeThumbnail(ImageDecoder.Decode(photo), ExampleSidePixels, quality: 90);
                examples.Add((jpeg, [.. classifier.Predict(jpeg).Probabilities]));
            }
            catch (UnreadableImageException)
            {
                // Counted where the photos are compared.
            }
        }
        return examples.Count > 0
            ? examples
            : throw new GraftException($"None of the {photos.Count:N0} photos to check the export on can be read.") { Code = "no-check-photos" };
    }
}
