using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Google.Protobuf;
using Graft.Classifiers;
using Graft.Data.Collections;
using Graft.Export.Web;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks.Onnx;

namespace Graft.Export;

/// <summary>Writes a classifier as one ONNX file that answers as the classifier does, and shows that it does before it is there.</summary>
public static class ModelExport
{
    private const int Examples = 3, ExampleSidePixels = 320, GeneratedPhotos = 8;

    /// <summary>How far another runtime's probabilities may be from those in the file. With 8 bits a rounding more or less is a whole step.</summary>
    private const double BoundOfRuntimes = 0.005, BoundOfInt8Runtimes = 0.05;

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(LowerCase.Policy) },
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
        var exact = PhotoModel.Of(classifier, options);
        var model = exact;
        QuantizationChoice? int8 = null;
        var tensorInput = options.Input == ExportInput.Tensor ? classifier.Preprocessing : null;
        if (options.Precision == ExportPrecision.Float16) model = Float16Weights.Of(exact);
        if (options.Precision == ExportPrecision.Int8) (model, int8) = Int8Quantization.Of(exact, tensorInput, options.CalibrationPhotos!, progress, cancellation);
        using var generated = options.CheckPhotos is null ? new GeneratedPhotos(GeneratedPhotos) : null;
        var photos = options.CheckPhotos ?? generated!.Paths;

        // What every runtime should give: the trained model's answers, or where the precision changes them, the exported model's own.
        using var session = options.Precision == ExportPrecision.Float32 ? null : new GraphSession(model, tensorInput, [ModelMetadata.ProbabilitiesOutput]);
        var examples = ExamplesOf(photos, photo => session?.Run(photo) ?? [.. classifier.Predict(photo).Probabilities]);
        var bound = options.Precision == ExportPrecision.Int8 ? BoundOfInt8Runtimes : options.Bound ?? BoundOfRuntimes;
        var metadata = PhotoModel.Metadata(classifier, options, new(
            bound, [.. examples.Select(example => new VerificationPhoto(example.Jpeg, example.Probabilities))]));
        var content = Content(model);

        var check = ParityCheck.Of(classifier, content, photos, options, progress, cancellation);
        var parity = check.Parity;
        if (!parity.IsPassed) throw new ExportParityException(parity);
        using (var exported = Classifier.Open(content))
        {
            if (exported.Verify() is { IsPassed: false } verification)
                throw new ExportParityException(parity with { LargestDifference = Math.Max(parity.Bounds.Largest, verification.LargestDifference), WorstPhoto = "a photo in the file" });
        }
        var precision = options.Precision == ExportPrecision.Float32
            ? null
            : PrecisionMeasurement.Of(check, content, Content(exact), photos, Labels(classifier, options), options.Precision, int8);
        files.Add(files.Model, content);
        files.Add("labels.txt", Encoding.UTF8.GetBytes(string.Concat(classifier.Classes.Select(name => $"{name.ReplaceLineEndings(" ")}\n"))));
        files.Add("MODEL_CARD.md", Encoding.UTF8.GetBytes(ModelCard.Of(classifier, files.Name, files.Model, content.Length, options, parity, precision)));
        files.Add("parity.json", JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                files.Model,
                CheckedOn = generated is null ? "photos" : "generated pictures",
                parity.Photos,
                parity.Skipped,
                parity.LargestDifference,
                parity.MeanDifference,
                parity.PixelDifference,
                parity.Bounds,
                WorstPhoto = generated is null ? Shown(parity.WorstPhoto) : null,
                DifferentClasses = parity.DifferentClasses.Select(photo => photo with { Photo = Shown(photo.Photo) }),
                Precision = precision,
                classifier.Classes,
                BoundOfExamples = bound,
                Examples = examples.Select((example, index) => new { Photo = ExampleName(index), example.Probabilities }),
            },
            Json));
        for (var index = 0; index < examples.Count; index++) files.Add(ExampleName(index), examples[index].Jpeg);
        foreach (var (name, file) in Around(files.Name, classifier, options)) files.Add(name, file);
        return new(files.Write(), content.Length, parity, precision);

        // The file may be published; where the photos lie concerns nobody.
        static string Shown(string photo) => $"{Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(photo)))}/{Path.GetFileName(photo)}";
        static string ExampleName(int index) => $"parity/photo{index + 1}.jpg";

        byte[] Content(ModelProto graph)
        {
            graph.MetadataProps.Clear();
            graph.MetadataProps.Add(metadata.Select(entry => new StringStringEntryProto { Key = entry.Key, Value = entry.Value }));
            return graph.ToByteArray();
        }
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

    /// <summary>By photo: the name of its class; null where classes are unknown.</summary>
    private static Dictionary<string, string>? Labels(ImageClassifier classifier, ExportOptions options)
    {
        if (options.CheckLabels is not { } labels) return null;
        var classes = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var index = 0; index < labels.Count; index++) classes[options.CheckPhotos![index]] = classifier.Classes[labels[index]];
        return classes;
    }

    /// <summary>Small copies of the first readable photos, spread over the list, and what the model says of them.</summary>
    private static List<(byte[] Jpeg, float[] Probabilities)> ExamplesOf(IReadOnlyList<string> photos, Func<RgbImage, float[]> predict)
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
                var jpeg = JpegEncoder.EncodeThumbnail(PhotoFile.Decode(photo), ExampleSidePixels, quality: 90);
                examples.Add((jpeg, predict(ImageDecoder.Decode(jpeg))));
            }
            catch (UnreadableImageException)
            {
                // Counted where the photos are compared.
            }
        }
        return examples.Count > 0 ? examples : throw ParityCheck.NoPhotos(photos.Count);
    }
}
