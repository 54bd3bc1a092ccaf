using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Features.Export;
using Graft.Networks;
using Graft.Training;

namespace Graft.Runs;

/// <summary>
/// What a request names, opened and checked, before anything is trained: the photos, and the network to train on them or to take features from. It
/// owns them.
/// </summary>
public sealed class TrainingSetup : IDisposable
{
    private readonly IDisposable _owned;

    private TrainingSetup(IDisposable owned) => _owned = owned;

    /// <summary>Null of a setup that was not opened from a request.</summary>
    public TrainingRequest? Request { get; private init; }

    public required LabeledImages Photos { get; init; }

    public required TrainingPlan Plan { get; init; }

    /// <summary>The network's name, or the trained model's and its network's.</summary>
    public required string Name { get; init; }

    /// <summary>The frozen networks of <see cref="Strategy.Features"/>; else null.</summary>
    public FeatureBlocks? Features { get; private init; }

    /// <summary>Photos of another source; else null.</summary>
    internal TransferPhotos? Transfer { get; private init; }

    /// <summary>Features that were computed before; null where the photos are here.</summary>
    internal StoredFeatures? Stored { get; private init; }

    /// <summary>The network with its new head of any other strategy; else null.</summary>
    public GraftedNetwork? Model { get; private init; }

    /// <summary>Whose answers the network learns beside the labels; else null.</summary>
    internal ModelTeacher? Teacher { get; private set; }

    /// <summary>What is worth knowing of photos and network before training, a sentence each.</summary>
    public IReadOnlyList<string> Notes { get; private init; } = [];

    /// <param name="fetch">Gets a network's published weights where they are not here yet; null to fail instead.</param>
    /// <exception cref="RequestException">The request cannot be meant.</exception>
    /// <exception cref="GraftException">Photos, weights or a layer are not there, or do not fit.</exception>
    public static TrainingSetup Open(TrainingRequest request, Action<BackboneDefinition>? fetch = null)
    {
        var setup = OpenLearner(request, fetch);
        try
        {
            if (request.Teacher is { } teacher) setup.Teacher = new(ImageClassifier.Open(teacher), setup.Photos.Classes);
            return setup;
        }
        catch
        {
            setup.Dispose();
            throw;
        }
    }

    private static TrainingSetup OpenLearner(TrainingRequest request, Action<BackboneDefinition>? fetch)
    {
        if (request.Problems() is { Count: > 0 } problems) throw new RequestException(problems);
        LibtorchLoader.Require();
        if (request.Photos is not { } source) throw new RequestException([new("missing", nameof(request.Photos), null, "Name the photos: {Photos}.")]);
        if (!LabeledImages.IsThere(source)) throw new RequestException([new("missing", nameof(request.Photos), source, $"There is no folder or file {source}.")]);
        var plan = RequestPlan.Of(request);
        if (ParquetFeatures.IsAt(source)) return OfFeatures(request, source, plan, fetch);
        var transfer = request.Source is null ? null : TransferPhotos.Load(request, plan);
        var photos = transfer?.Photos ?? LoadPhotos(request, plan);
        if (request.From is { } from) return Further(request, from, plan, photos);
        if (plan.Options.Strategy == Strategy.Features)
        {
            TrainingRun.LoadAhead();
            var features = request.BackbonesOrDefault.LoadFeatures(request.Pool ?? (plan.Options.Head.Pooling == Pooling.Flatten ? "flatten" : null), fetch);
            return new(features) { Request = request, Photos = photos, Plan = plan, Name = features.Name, Features = features, Transfer = transfer, Notes = [.. photos.Notes, .. transfer?.Notes ?? []] };
        }
        var network = request.BackbonesOrDefault[0];
        var whole = plan.Options.Strategy == Strategy.Scratch ? network.Untrained(plan.Seed) : network.Load(fetch, isTrained: true);
        try
        {
            var cut = whole.Head is null ? whole : whole.CutBefore(whole.Head);
            var model = cut.Graft(plan.Options.Head, photos.Classes, plan.Seed);
            _ = FineTuning.Stages(model, plan.Options);
            return new(whole) { Request = request, Photos = photos, Plan = plan, Name = whole.Name, Model = model, Transfer = transfer, Notes = [.. photos.Notes, .. transfer?.Notes ?? [], .. whole.Note is { } note ? (string[])[note] : []] };
        }
        catch
        {
            whole.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Teacher?.Dispose();
        _owned.Dispose();
    }

    /// <summary>Training on features that were computed before, by the network that computed them.</summary>
    private static TrainingSetup OfFeatures(TrainingRequest request, string source, TrainingPlan plan, Action<BackboneDefinition>? fetch)
    {
        string[] ofPhotos =
        [
            nameof(request.From), nameof(request.Source), nameof(request.PathColumn), nameof(request.LabelColumn), nameof(request.SplitColumn), nameof(request.ImageFolder),
            nameof(request.ImageSuffix), nameof(request.Cache), nameof(request.CachePrecision), nameof(request.Engine),
        ];
        if (ofPhotos.FirstOrDefault(name => Setting.Named(name).ValueIn(request) is not null) is { } unused)
            throw Unused(request, unused, $"{{{unused}}} is for photos, and {source} holds features.");
        if (plan.Options.Strategy != Strategy.Features || plan.Views is not null)
            throw new RequestException([new("conflict", nameof(request.Photos), source, $"{source} holds features and no photos: only a classifier or head on unchanged features can be trained.", "Name the photos: {Photos}.")]);
        var stored = StoredFeatures.Read(source, new() { Seed = plan.Seed, ValidationShare = request.Validation ?? new LabeledImagesOptions().ValidationShare });
        if (request.Validation is not null && !stored.Photos.ValidationWasSplit) throw Unused(request, nameof(request.Validation), $"{source} has validation images of its own: nothing is held back.");
        if (request.Backbones is null && stored.Backbone is { } name) request = request with { Backbones = [new() { Name = name }] };
        TrainingRun.LoadAhead();
        var features = request.BackbonesOrDefault.LoadFeatures(request.Pool ?? (plan.Options.Head.Pooling == Pooling.Flatten ? "flatten" : null), fetch);
        try
        {
            stored.CheckSpace(features, source);
            var photos = request.Unlabeled is { } unlabeled ? stored.Photos.WithUnlabeled(unlabeled) : stored.Photos;
            return new(features) { Request = request, Photos = photos, Plan = plan, Name = features.Name, Features = features, Stored = stored, Notes = photos.Notes };
        }
        catch
        {
            features.Dispose();
            throw;
        }
    }

    /// <summary>The photos that a request names, divided as it says.</summary>
    /// <exception cref="GraftException">They are not there, or unsuitable.</exception>
    internal static LabeledImages PhotosOf(TrainingRequest request) =>
        request.Source is null ? LoadPhotos(request, RequestPlan.Of(request)) : TransferPhotos.Load(request, RequestPlan.Of(request)).Photos;

    /// <param name="classes">Of a trained model, in its order; null for those found.</param>
    internal static LabeledImages LoadPhotos(TrainingRequest request, TrainingPlan plan, IReadOnlyList<string>? classes = null)
    {
        string[] ofTables =
            [nameof(request.PathColumn), nameof(request.LabelColumn), nameof(request.SplitColumn), nameof(request.ImageFolder), nameof(request.ImageSuffix)];
        var isFolder = Directory.Exists(request.Photos);
        if (!LabeledImages.IsTable(request.Photos!)
            && ofTables.FirstOrDefault(name => Setting.Named(name).ValueIn(request) is not null && (isFolder || name != nameof(request.LabelColumn))) is { } ofTable)
            throw Unused(request, ofTable, $"{{{ofTable}}} is for tables, and {request.Photos} is a {(isFolder ? "folder" : "collection")}.");
        if (request.ImageFolder is { } folder && !RemotePlace.Is(folder) && !Directory.Exists(folder))
            throw new RequestException([new("missing", nameof(request.ImageFolder), folder, $"There is no folder {folder}.")]);
        var usual = new LabeledImagesOptions();
        var photos = LabeledImages.Load(request.Photos!, usual with
        {
            Seed = plan.Seed,
            Classes = classes,
            ValidationShare = request.Validation ?? usual.ValidationShare,
            PathColumn = request.PathColumn,
            LabelColumn = request.LabelColumn,
            SplitColumn = request.SplitColumn,
            ImageFolder = request.ImageFolder,
            ImageSuffix = request.ImageSuffix,
        });
        if (request.Unlabeled is { } unlabeled) photos = photos.WithUnlabeled(unlabeled);
        return request.Validation is null || photos.ValidationWasSplit
            ? photos
            : throw Unused(request, nameof(request.Validation), $"{request.Photos} has validation images of its own: nothing is held back.");
    }

    private static RequestException Unused(TrainingRequest request, string setting, string message) =>
        new([new("unused", setting, Setting.Named(setting).ValueIn(request), message, $"Leave {{{setting}}} out.")]);

    private static TrainingSetup Further(TrainingRequest request, string from, TrainingPlan plan, LabeledImages photos)
    {
        var trained = ImageClassifier.Open(from);
        try
        {
            var isKnown = photos.Classes.All(trained.Classes.Contains);
            if (isKnown) photos = LoadPhotos(request, plan, trained.Classes);
            string[] ofNewHead = [nameof(request.Head), nameof(request.Hidden), nameof(request.Dropout), nameof(request.Standardize), nameof(request.Pool)];
            if (photos.Classes.SequenceEqual(trained.Classes) && ofNewHead.FirstOrDefault(name => Setting.Named(name).ValueIn(request) is not null) is { } unused)
                throw Unused(request, unused, $"{from} knows all classes of {request.Photos} and keeps its head.");
            var model = trained.ToTraining(photos.Classes, plan.Options.Head, plan.Seed);
            _ = FineTuning.Stages(model, plan.Options);
            return new(trained)
            {
                Request = request,
                Photos = photos,
                Plan = plan,
                Name = $"{from} ({trained.BackboneName})",
                Model = model,
                Notes = isKnown ? photos.Notes : [.. photos.Notes, $"{from} does not know all classes of {request.Photos}: it gets a new head."],
            };
        }
        catch
        {
            trained.Dispose();
            throw;
        }
    }
}
