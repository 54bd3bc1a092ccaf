using Graft.Classifiers;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Unlabeled;

namespace Graft.Labeling;

/// <summary>Labels photos that have none with a trained model, or with a pretrained network and its own classes.</summary>
public static class PhotoLabeling
{
    /// <param name="modelPath">The run folder, or the model's file in it, where the model comes from one: its photos say how precise labels are. Else null.</param>
    /// <param name="cache">Where features are looked up and kept; null to compute them.</param>
    /// <exception cref="GraftException">No photos, unsuitable classes, or no labeled photos to promise a precision by.</exception>
    public static LabelResult Run(
        ImageClassifier model, LabelRequest request, string? modelPath = null, FeatureCache? cache = null, Action<string>? warn = null,
        IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (request.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        List<string> paths = [];
        List<SkippedFile> broken = [];
        foreach (var found in request.Photos.Select(path => PhotoPaths.Find(path, request.Except)))
        {
            paths.AddRange(found.Photos);
            broken.AddRange(found.Skipped);
        }
        paths = [.. paths.Distinct(StringComparer.Ordinal)];
        if (paths.Count == 0)
            throw new GraftException($"There are no photos to label: {string.Join("; ", broken.Take(3).Select(file => $"{file.Path}: {file.Reason}"))}.") { Code = "no-photos" };
        var names = request.Groups is { } groups ? [.. groups.Select(group => group.Name)] : model.Classes;
        var root = request.Photos is [var single] && Directory.Exists(single) ? single : null;
        var (thresholds, measured) = Thresholds(model, request, modelPath, names, cache, progress, cancellation);

        var hashes = new PhotoHashes();
        LabeledImage[] images = [.. paths.Select(path => new LabeledImage(path, 0))];
        var predictions = model.Predict(images, model.FeatureLayer is null ? null : cache, warn, hashes, progress, cancellation);
        var hashOf = predictions.Read.Select(prediction => prediction.Path)
            .Zip(hashes.Of([.. predictions.Read.Select(prediction => new LabeledImage(prediction.Path, 0))], cancellation))
            .ToDictionary(pair => pair.First, pair => pair.Second is { } hash ? Convert.ToHexStringLower(hash) : "", StringComparer.Ordinal);
        var labels = predictions.Read.Select(prediction => LabelOf(prediction, hashOf[prediction.Path]))
            .Concat(broken.Concat(predictions.Broken).Select(file => new PhotoLabel(Relative(file.Path), null, 0, null, 0, $"{LabelReasons.Unreadable}: {file.Reason}", 0, "")))
            .OrderBy(photo => photo.Path, StringComparer.Ordinal).ToList();
        return new(request, names, new(root, labels), thresholds, measured);

        string Relative(string path) => root is null ? RemotePlace.Full(path) : Path.GetRelativePath(root, path).Replace(Path.DirectorySeparatorChar, '/');

        PhotoLabel LabelOf(Prediction prediction, string hash)
        {
            var row = Grouped(prediction.Probabilities, request.Groups);
            var best = Largest(row, -1);
            var second = row.Count > 1 ? Largest(row, best) : -1;
            var rest = 1 - row.Sum();
            var reason = prediction.IsUnlike ? LabelReasons.Unlike
                : request.Groups is not null && rest > row[best] ? LabelReasons.None
                : thresholds is { } limits && limits[best].Threshold is null ? LabelReasons.NoPromise
                : row[best] < Math.Max(request.Threshold, thresholds?[best].Threshold ?? 0) ? LabelReasons.Unsure
                : null;
            return new(
                Relative(prediction.Path), reason is null ? names[best] : null, row[best], second < 0 ? null : names[second], second < 0 ? row[best] : row[best] - row[second],
                reason, 0, hash)
            {
                Guess = reason is null ? null : names[best],
            };
        }
    }

    private static (IReadOnlyList<PrecisionThreshold>?, (int, string)?) Thresholds(
        ImageClassifier model, LabelRequest request, string? modelPath, IReadOnlyList<string> names, FeatureCache? cache, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        if (request.Precision is not { } precision) return (null, null);
        var folder = modelPath is null || Directory.Exists(modelPath) ? modelPath : Path.GetDirectoryName(Path.GetFullPath(modelPath));
        var answers = request.Labeled is { } labeled ? HeldOutAnswers.OfPhotos(labeled, model, modelPath, names, cache, progress, cancellation)
            : folder is not null ? HeldOutAnswers.OfRun(folder, cache, progress, cancellation)
            : throw new GraftException("A network with its own classes has no labeled photos to promise a precision by.") { Code = "precision-without-labels" };
        var rows = answers.Probabilities.Select(row => Grouped(row, request.Groups)).ToList();
        // Of a run's class in no group, every label is wrong.
        int[] truth = [.. answers.Labels.Select(name => GroupOf(name))];
        return (
            PrecisionThresholds.Of([.. rows.Select(row => (Largest(row, -1), (double)row[Largest(row, -1)]))], truth, names.Count, precision, request.Risk),
            (rows.Count, answers.Source));

        int GroupOf(string name)
        {
            var own = names.ToList().IndexOf(name);
            if (request.Groups is not { } groups || own >= 0 && request.Labeled is not null) return own;
            var member = model.Classes.ToList().IndexOf(name);
            return groups.ToList().FindIndex(group => group.Members.Contains(member));
        }
    }

    private static IReadOnlyList<float> Grouped(IReadOnlyList<float> row, IReadOnlyList<ClassGroup>? groups) =>
        groups is null ? row : [.. groups.Select(group => group.Members.Sum(member => row[member]))];

    private static int Largest(IReadOnlyList<float> row, int except)
    {
        var best = except == 0 ? 1 : 0;
        for (var index = 0; index < row.Count; index++)
            if (index != except && row[index] > row[best]) best = index;
        return best;
    }
}
