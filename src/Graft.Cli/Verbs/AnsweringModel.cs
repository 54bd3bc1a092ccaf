using System.CommandLine;
using System.Globalization;
using Graft.Classifiers;
using Graft.Data.Collections;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Imaging;
using Graft.Inference;
using Prediction = Graft.Classifiers.Prediction;
using SkippedFile = Graft.Data.SkippedFile;

namespace Graft.Cli.Verbs;

/// <summary>What predicts photos: a trained model, a network of the catalog with its own head, or a file that Graft exported.</summary>
internal sealed class AnsweringModel : IDisposable
{
    private const int Batch = 64;

    private readonly ImageClassifier? _trained;
    private readonly Classifier? _exported;

    private AnsweringModel(ImageClassifier? trained, Classifier? exported) => (_trained, _exported) = (trained, exported);

    /// <exception cref="GraftException">The model is damaged, an ONNX file that Graft did not export, or not for the device.</exception>
    public static AnsweringModel Open(string model, BackboneOptions options, InferenceDevice device, ParseResult parsed, CancellationToken cancellation)
    {
        if (!options.IsExported(model, parsed))
        {
            var trained = options.Open(model, parsed, cancellation);
            trained.Device = device;
            return new(trained, null);
        }
        try
        {
            // Photos are predicted side by side.
            return new(null, Classifier.Open(model, new() { Threads = 1, Device = device }));
        }
        catch (ModelException problem)
        {
            throw new GraftException(problem.Message, problem);
        }
        catch (DeviceException missing)
        {
            throw DeviceOption.Phrased(missing);
        }
    }

    public IReadOnlyList<string> Classes => _trained?.Classes ?? _exported!.Classes;

    public double? Temperature => _trained is not null ? _trained.Temperature
        : _exported!.Metadata.TryGetValue(ModelMetadata.TemperatureKey, out var text) ? double.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>Whether features of photos are worth keeping.</summary>
    public bool HasFeatures => _trained?.FeatureLayer is not null;

    /// <summary>Whether it tells photos unlike its training photos.</summary>
    public bool KnowsUnlike => _trained is not null ? _trained.Novelty?.Cut(_trained.Refuse) is not null : _exported!.KnowsUnlike;

    /// <summary>With its weights and layers; null of an exported file.</summary>
    public ImageClassifier? Trained => _trained;

    public Predictions Predict(IReadOnlyList<string> photos, FeatureCache? cache, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (_trained is not null) return _trained.Predict(photos, cache, Terminal.Warn, progress, cancellation);
        var (read, broken) = (new List<Prediction>(), new List<SkippedFile>());
        foreach (var batch in photos.Chunk(Batch))
        {
            foreach (var (path, prediction, problem) in Exported(batch, cancellation))
            {
                if (prediction is not null) read.Add(new(path, Classes, prediction.Probabilities) { Unlikeness = prediction.Unlikeness });
                else broken.Add(new(path, problem!));
            }
            progress?.Report(new("Predict", read.Count + broken.Count, photos.Count, "photos"));
        }
        return new(read, broken, 0, 0);
    }

    /// <summary>An exported file reads files; what lies in collections or on other machines is read for it.</summary>
    private IEnumerable<PhotoPrediction> Exported(string[] paths, CancellationToken cancellation)
    {
        if (!Array.Exists(paths, PhotoFile.IsMember)) return _exported!.Predict(paths, cancellation);
        var answers = new PhotoPrediction[paths.Length];
        RemotePhotos.OneProblem(() => Parallel.For(0, paths.Length, new ParallelOptions { CancellationToken = cancellation }, index =>
        {
            try
            {
                answers[index] = new(paths[index], _exported!.Predict(PhotoFile.ReadAllBytes(paths[index])), null);
            }
            catch (UnreadableImageException problem)
            {
                answers[index] = new(paths[index], null, problem.Reason);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                answers[index] = new(paths[index], null, problem.Message);
            }
        }));
        return answers;
    }

    public void Dispose()
    {
        _trained?.Dispose();
        _exported?.Dispose();
    }
}
