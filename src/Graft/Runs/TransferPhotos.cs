using Graft.Data;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Features.Export;

namespace Graft.Runs;

/// <summary>The photos of a run with another source: whose classes are learned, and what each source has.</summary>
internal sealed record TransferPhotos
{
    /// <summary>What is trained, validated and tested on: photos of the target or, where none has a label, of the source.</summary>
    public required LabeledImages Photos { get; init; }

    /// <summary>Whether <see cref="Photos"/> are of the target.</summary>
    public required bool TargetIsLabeled { get; init; }

    /// <summary>Photos of the source, by the classes of <see cref="Photos"/>; empty where they are <see cref="Photos"/>.</summary>
    public IReadOnlyList<LabeledImage> Source { get; init; } = [];

    /// <summary>Features of <see cref="Source"/> where they were stored and there are no photos; else null.</summary>
    public IReadOnlyList<float[]>? StoredRows { get; private init; }

    /// <summary>Photos of the target without labels.</summary>
    public required IReadOnlyList<ImageSource> Unlabeled { get; init; }

    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <exception cref="RequestException">There is no such source, or the method needs labels and there are none.</exception>
    /// <exception cref="DataException">Photos are missing or unsuitable.</exception>
    public static TransferPhotos Load(TrainingRequest request, TrainingPlan plan)
    {
        var (target, place) = (request.Photos!, request.Source!);
        if (!LabeledImages.IsThere(place)) throw new RequestException([new("missing", nameof(request.Source), place, $"There is no folder or file {place}.")]);
        if (RemotePlace.Full(place) == RemotePlace.Full(target))
            throw new RequestException([new("conflict", nameof(request.Source), place, "{Source} is the folder of the photos themselves.", "Name another one, or leave {Source} out.")]);
        if (FeatureTable.IsStored(place)) return Stored(request, plan, FeatureTable.Read(place));
        // Of one class, the error about the target's classes says more.
        var source = LabeledImages.Load(place, new()
        {
            ValidationShare = 0,
            AllowsSingleClass = true,
            PathColumn = Directory.Exists(place) ? null : request.PathColumn,
            LabelColumn = Directory.Exists(place) ? null : request.LabelColumn,
        });
        if (IsUnlabeled(target, source.Classes))
        {
            if (plan.Transfer is { NeedsLabels: true })
            {
                throw new RequestException(
                [
                    new(
                        "conflict", nameof(request.Method), request.Method,
                        $"{{Method}} {plan.Transfer.Name} goes by labeled photos, and none of {target} has a label{(plan.Transfer.Name == Graft.Transfer.TransferCatalog.Default ? ": without any, no choice can be measured" : "")}.",
                        "Label a few photos of each class, or take {Method} coral, jda or density, which need no labels."),
                ]);
            }
            var found = PhotoPaths.Find(target);
            if (found.Photos.Count == 0) throw new DataException(target, ["it holds no photo."]);
            return new()
            {
                Photos = TrainingSetup.LoadPhotos(request with { Photos = place }, plan),
                TargetIsLabeled = false,
                Unlabeled = [.. found.Photos.Select(ImageSource.FromFile)],
                Notes =
                [
                    $"No photo of {target} has a label: {found.Photos.Count} photos are aligned with, and accuracy is measured on photos of {place}. What it is on {target} cannot be known without labels.",
                ],
            };
        }
        var photos = TrainingSetup.LoadPhotos(request, plan);
        var (classes, notes) = Matched(photos, target, source.Classes, place);
        return new()
        {
            Photos = photos,
            TargetIsLabeled = true,
            Source = [.. source.All.Where(image => classes.ContainsKey(source.Classes[image.Class])).Select(image => new LabeledImage(image, classes[source.Classes[image.Class]]))],
            Unlabeled = photos.Unlabeled,
            Notes = notes,
        };
    }

    private static TransferPhotos Stored(TrainingRequest request, TrainingPlan plan, FeatureTable table)
    {
        var photos = TrainingSetup.LoadPhotos(request, plan);
        var (classes, notes) = Matched(photos, request.Photos!, table.Classes, request.Source!);
        int[] kept = [.. Enumerable.Range(0, table.Rows.Count).Where(row => classes.ContainsKey(table.Classes[table.Labels[row]]))];
        return new()
        {
            Photos = photos,
            TargetIsLabeled = true,
            Source = [.. kept.Select(row => new LabeledImage(table.Paths[row], classes[table.Classes[table.Labels[row]]]))],
            StoredRows = [.. kept.Select(row => table.Rows[row])],
            Unlabeled = photos.Unlabeled,
            Notes = notes,
        };
    }

    /// <summary>The photos of the source, without those that the model is measured on.</summary>
    public IReadOnlyList<LabeledImage> SourceWithoutCopies(LabeledImages photos, PhotoHashes hashes, TrainingWork work)
    {
        if (Source.Count == 0) return [];
        var kept = hashes.WithoutCopies(Source, [.. photos.Validation, .. photos.Test], work.Cancellation);
        if (kept.Count < Source.Count)
            work.Context.Warn?.Invoke($"{Source.Count - kept.Count} photos of the other source are copies of photos to measure on, and are left out.");
        return kept;
    }

    /// <summary>The stored features of the source, of the space of these networks; null where the source is photos.</summary>
    /// <exception cref="GraftException">They are of another space.</exception>
    public FeatureSet? StoredOf(FeatureBlocks features)
    {
        if (StoredRows is null) return null;
        return StoredRows.FirstOrDefault(row => row.Length != features.Shape.ElementCount) is not { } other
            ? new(Source, StoredRows, [], 0, 0)
            : throw new GraftException($"The stored features of the source have {other.Length} numbers a photo, and {features.Name} gives {features.Shape.ElementCount}.")
            {
                Code = "other-feature-space",
                Remedy = "Map them to its space first.",
            };
    }

    /// <summary>The numbers of the classes that both have, by name, and what is to be said of the others.</summary>
    private static (Dictionary<string, int> Classes, List<string> Notes) Matched(LabeledImages photos, string target, IReadOnlyList<string> ofSource, string place)
    {
        var classes = photos.Classes.Select((name, number) => (name, number)).ToDictionary(pair => pair.name, pair => pair.number, StringComparer.Ordinal);
        var common = ofSource.Where(classes.ContainsKey).ToList();
        if (common.Count == 0)
        {
            throw new DataException(
                place, [$"none of its classes ({DataFindings.Named(ofSource)}) is one of {target} ({DataFindings.Named(photos.Classes)}); classes are matched by name, so rename the folders of one."]);
        }
        List<string> notes = [];
        if (ofSource.Except(common).ToList() is { Count: > 0 } others)
            notes.Add($"{place} has classes that {target} has not, which are left out: {DataFindings.Named(others)}.");
        if (photos.Classes.Except(common).ToList() is { Count: > 0 } missing)
            notes.Add($"{place} has no photos of {DataFindings.Named(missing)}: these classes are learned from {target} alone.");
        return (classes, notes);
    }

    /// <summary>Whether a folder has no folders of classes, and file names that carry none of the source's.</summary>
    private static bool IsUnlabeled(string target, IReadOnlyList<string> classes)
    {
        if (!Directory.Exists(target)) return false;
        if (Directory.EnumerateDirectories(target).Any(folder => Path.GetFileName(folder) is var name && !name.StartsWith('.') && !name.StartsWith("unlabel", StringComparison.OrdinalIgnoreCase))) return false;
        try
        {
            return !LabeledImages.Load(target, LabeledImagesOptions.ForChecking).Classes.Any(classes.Contains);
        }
        catch (DataException)
        {
            return true;
        }
    }
}
