using System.Text.Json;
using Graft.Imaging;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Inference;

/// <summary>
/// Safe to use from many threads: open a model once and share it. Names what is on photos, with a file that Graft exported: decoding, EXIF
/// orientation, resizing and normalization are those of training. It may be disposed of meanwhile: predictions that have begun finish, later
/// ones throw <see cref="ObjectDisposedException"/>.
/// </summary>
public sealed class Classifier : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly UseGuard _guard;
    private readonly ClassifierOptions _options;
    private readonly Preprocessing? _preprocessing, _resize;
    private readonly string[] _inputs, _outputs;
    private readonly Dictionary<string, string> _metadata;

    private Classifier(InferenceSession session, string name, ClassifierOptions options)
    {
        (_session, _options) = (session, options);
        _metadata = session.ModelMetadata.CustomMetadataMap;
        if (_metadata.GetValueOrDefault(ModelMetadata.FormatKey) is not { } format) throw Foreign(session, name);
        if (format != ModelMetadata.Format)
            throw new ModelException($"{name} has the format '{format}', and this version of Graft.Inference reads '{ModelMetadata.Format}'. Update the package.");
        try
        {
            Classes = JsonSerializer.Deserialize(_metadata[ModelMetadata.ClassesKey], MetadataJson.Default.StringArray)!;
            Facts = JsonSerializer.Deserialize(_metadata[ModelMetadata.FactsKey], MetadataJson.Default.DictionaryStringString)!;
            using var networks = JsonDocument.Parse(_metadata[ModelMetadata.PreprocessingKey]);
            var preprocessing = Preprocessing.FromJson(networks.RootElement[0].GetRawText());
            if (_metadata[ModelMetadata.InputKey] == ModelMetadata.TensorInput) _preprocessing = preprocessing;
            // Several networks may each have another size.
            if (networks.RootElement.GetArrayLength() == 1) _resize = preprocessing;
            if (DeviceSession.Unsuited(options.Device, name, networks.RootElement.GetArrayLength(), _metadata.GetValueOrDefault(ModelMetadata.PrecisionKey)) is { } unsuited)
                throw new ModelException(unsuited);
            if (session.OutputMetadata[ModelMetadata.ProbabilitiesOutput].Dimensions is not [_, var count] || count != Classes.Count)
                throw new JsonException($"its outputs are not its {Classes.Count} classes");
        }
        catch (Exception problem) when (problem is JsonException or KeyNotFoundException or NullReferenceException or IndexOutOfRangeException or InvalidOperationException)
        {
            throw new ModelException($"The metadata of {name} is damaged: {problem.Message}. Export the model again.", problem);
        }
        _inputs = [_metadata[ModelMetadata.InputKey]];
        _outputs =
        [
            ModelMetadata.ProbabilitiesOutput,
            .. new[] { ModelMetadata.FeaturesOutput, ModelMetadata.UnlikenessOutput }.Where(session.OutputMetadata.ContainsKey),
        ];
        _guard = new(this, () =>
        {
            _run.Dispose();
            _session.Dispose();
        });
    }

    /// <summary>What the probabilities are called, in order.</summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>Figures that were recorded with the model, such as its validation accuracy.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; }

    /// <summary>The pretrained network inside, such as <c>mobilenet_v2.torchvision</c>.</summary>
    public string Backbone => _metadata.GetValueOrDefault(ModelMetadata.BackboneKey, "");

    /// <summary>Whether predictions say how unlike the training photos a photo is.</summary>
    public bool KnowsUnlike => _outputs.Contains(ModelMetadata.UnlikenessOutput);

    /// <summary>All that the file says of itself; the keys are those of <see cref="ModelMetadata"/>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Opens a file that <c>graft export</c> or <c>model.Export</c> wrote.</summary>
    /// <exception cref="ModelException">There is no such file, it is damaged, Graft did not export it, or it is not for the device.</exception>
    /// <exception cref="DeviceException">The device of the options cannot be used.</exception>
    public static Classifier Open(string path, ClassifierOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] model;
        try
        {
            // Opening a pipe or a device, which have no length either, may wait forever.
            if (new FileInfo(path) is { Exists: true } file && (file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file).Length == 0)
                throw new IOException("it is empty, or a pipe or a device.");
            // Copied, not mapped: the file may be replaced while the classifier is in use.
            model = File.ReadAllBytes(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new ModelException(Directory.Exists(path) ? $"{path} is a folder. Name the .onnx file in it." : $"{path} cannot be read: {problem.Message}", problem);
        }
        return Open(model, options, path);
    }

    /// <summary>Opens an exported file's content.</summary>
    /// <param name="name">Of the file, for messages.</param>
    /// <exception cref="ModelException">It is damaged, Graft did not export it, or it is not for the device.</exception>
    /// <exception cref="DeviceException">The device of the options cannot be used.</exception>
    public static Classifier Open(byte[] model, ClassifierOptions? options = null, string name = "The model")
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new();
        InferenceSession? session = null;
        try
        {
            using var settings = OnnxSessions.Options(options.Threads).WithoutExternalData();
            session = DeviceSession.Open(model, settings, options.Device);
            return new(session, name, options);
        }
        catch (OnnxRuntimeException problem)
        {
            session?.Dispose();
            throw new ModelException($"{name} is not an ONNX model, or a damaged one: {problem.Message}", problem);
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    /// <summary>Predicts one photo, from a file.</summary>
    /// <exception cref="ArgumentException">The path is null or empty, or names a folder.</exception>
    /// <exception cref="UnreadableImageException">The file is missing, not an image, or damaged; the message begins with the path.</exception>
    public Prediction Predict(string path)
    {
        CheckPhoto(path);
        return Run(ImageDecoder.Decode(path, Shrunk, _options.Decoding));
    }

    /// <summary>Predicts one photo, from a stream that is read to its end and remains the caller's.</summary>
    /// <exception cref="UnreadableImageException">The content is not an image, or a damaged one.</exception>
    public Prediction Predict(Stream photo) => Predict(ImageContent.ReadToEnd(photo, _options.Decoding));

    /// <summary>Predicts one photo, from the bytes of its file.</summary>
    /// <exception cref="UnreadableImageException">They are not an image, or a damaged one.</exception>
    public Prediction Predict(ReadOnlyMemory<byte> photo) => Run(ImageDecoder.Decode(photo, Shrunk, _options.Decoding));

    /// <summary>Predicts one photo, from its pixels: upright, of any size.</summary>
    /// <exception cref="UnreadableImageException">The image is far too narrow to be resized in proportion.</exception>
    public Prediction Predict(RgbImage photo)
    {
        ArgumentNullException.ThrowIfNull(photo);
        return Run(Shrunk(photo));
    }

    /// <summary>On another device, the resizing inside the model has nothing to do, so that its pixels are the same.</summary>
    private RgbImage Shrunk(RgbImage photo) => _resize is null ? photo
        : _options.Device == InferenceDevice.Cpu ? PhotoTensor.Shrunk(photo, _resize) : PhotoTensor.Resized(photo, _resize);

    private Prediction Run(RgbImage photo)
    {
        using var use = _guard.Enter();
        using var input = PhotoTensor.Of(photo, _inputs[0], _preprocessing);
        using var outputs = _session.Run(_run, _inputs, [input], _outputs);
        float[]? Values(string output) => Array.IndexOf(_outputs, output) is >= 0 and var place ? outputs[place].GetTensorDataAsSpan<float>().ToArray() : null;
        return new(Classes, Values(ModelMetadata.ProbabilitiesOutput)!, Values(ModelMetadata.FeaturesOutput)) { Unlikeness = Values(ModelMetadata.UnlikenessOutput)?[0] };
    }

    /// <summary>Predicts many photos, on all cores; one that cannot be read does not stop the others. In the order of the paths.</summary>
    public IReadOnlyList<PhotoPrediction> Predict(IReadOnlyList<string> paths, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var results = new PhotoPrediction[paths.Count];
        // With all cores on each photo, a second one is decoded meanwhile.
        var atOnce = _options.Threads == 0 ? 2 : Math.Max(1, Environment.ProcessorCount / _options.Threads);
        Parallel.For(0, paths.Count, new() { MaxDegreeOfParallelism = atOnce, CancellationToken = cancellation }, index =>
        {
            try
            {
                results[index] = new(paths[index], Predict(paths[index]), null);
            }
            catch (Exception problem) when (problem is UnreadableImageException or ArgumentException)
            {
                results[index] = new(paths[index], null, (problem as UnreadableImageException)?.Reason ?? problem.Message);
            }
        });
        return results;
    }

    /// <summary>The same as <see cref="Predict(string)"/>, without blocking a thread while the file is read.</summary>
    public async Task<Prediction> PredictAsync(string path, CancellationToken cancellation = default)
    {
        CheckPhoto(path);
        // A missing file and one without an end are explained, or refused, by the decoder.
        if (new FileInfo(path) is not { Exists: true, Length: > 0 } file || file.Length > _options.Decoding.MaxFileBytes) return Predict(path);
        try
        {
            return Predict(await File.ReadAllBytesAsync(path, cancellation).ConfigureAwait(false));
        }
        catch (UnreadableImageException problem) when (problem.Path is null)
        {
            throw new UnreadableImageException(problem.Reason, path, problem);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new UnreadableImageException(problem.Message, path, problem);
        }
    }

    /// <summary>The same as <see cref="Predict(Stream)"/>, without blocking a thread while the stream is read.</summary>
    public async Task<Prediction> PredictAsync(Stream photo, CancellationToken cancellation = default) =>
        Predict(await ImageContent.ReadToEndAsync(photo, _options.Decoding, cancellation).ConfigureAwait(false));

    /// <summary>Predicts the photos that the file carries, and compares with what the trained model gave for them.</summary>
    public Verification Verify()
    {
        var expected = JsonSerializer.Deserialize(_metadata[ModelMetadata.VerificationKey], MetadataJson.Default.ModelVerification)!;
        var largest = expected.Photos.Max(photo =>
            photo.Probabilities.Zip(Predict(photo.Jpeg).Probabilities, (wanted, found) => double.Abs(wanted - found)).Max());
        return new(expected.Photos.Count, largest, expected.Bound);
    }

    /// <summary>Returns at once; what predictions in progress use is released when the last of them ends.</summary>
    public void Dispose() => _guard.Close();

    private static void CheckPhoto(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path)) throw new ArgumentException($"{path} is a folder. Name a photo, or a list of them.", nameof(path));
    }

    private static ModelException Foreign(InferenceSession session, string name)
    {
        static string Describe(IReadOnlyDictionary<string, NodeMetadata> tensors) => string.Join(", ", tensors.Take(4).Select(tensor =>
            $"{tensor.Key} ({tensor.Value.ElementDataType.ToString().ToLowerInvariant()} [{string.Join(", ", tensor.Value.Dimensions)}])"));
        return new(
            $"{name} is an ONNX model that Graft did not export: it takes {Describe(session.InputMetadata)} and gives {Describe(session.OutputMetadata)}, "
            + "and does not say how photos become its input or what its outputs are called. "
            + "Train a head on it with Graft, which takes .onnx files as backbones, and export that.");
    }
}
