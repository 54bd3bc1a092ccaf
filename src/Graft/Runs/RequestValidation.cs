using Graft.Classifiers;
using Graft.Training;

namespace Graft.Runs;

/// <summary>What is wrong with a request: ranges and choices by their declarations, what the way to train does not use, and what contradicts.</summary>
internal static class RequestValidation
{
    private static readonly (Ways Way, string Name)[] WayNames =
    [
        (Ways.Classifier, "features with a classic {Classifier}"), (Ways.Softmax, "features with a softmax head"), (Ways.Head, "head"),
        (Ways.FineTune, "finetune"), (Ways.Partial, "partial"), (Ways.Full, "full"), (Ways.Scratch, "scratch"),
    ];

    /// <summary>What varies photos beyond the preset.</summary>
    private static readonly string[] Variations =
    [
        nameof(TrainingRequest.Augment), nameof(TrainingRequest.Flip), nameof(TrainingRequest.VerticalFlip), nameof(TrainingRequest.Rotation),
        nameof(TrainingRequest.Shift), nameof(TrainingRequest.Zoom), nameof(TrainingRequest.Crop), nameof(TrainingRequest.Brightness),
        nameof(TrainingRequest.Contrast), nameof(TrainingRequest.Color), nameof(TrainingRequest.Cutout), nameof(TrainingRequest.Fill),
    ];

    public static IReadOnlyList<RequestProblem> ProblemsOf(TrainingRequest request)
    {
        List<RequestProblem> problems = [.. Setting.All.Select(setting => ValueProblem(setting, request)).OfType<RequestProblem>()];
        // What a way uses cannot be said of a way that there is not.
        if (problems.All(problem => problem.Setting is not nameof(TrainingRequest.Classifier)))
            problems.AddRange(Setting.All.Select(setting => Unused(setting, request)).OfType<RequestProblem>());
        problems.AddRange(NetworkProblems(request));
        problems.AddRange(Conflicts(request));
        return problems;
    }

    private static RequestProblem? ValueProblem(Setting setting, TrainingRequest request)
    {
        var value = setting.ValueIn(request);
        // C may be infinite, which stands for auto.
        if (value is null or (double.PositiveInfinity) && setting.Name == nameof(TrainingRequest.C)) return null;
        if (setting.Range is { } range && !DeclaredRanges.Holds(range, value))
        {
            return new(
                "out_of_range", setting.Name, value,
                $"Expected {{{setting.Name}}} {DeclaredRanges.Words(range)}, found {DeclaredRanges.Text(value)}.");
        }
        return setting.Choices is { } choices && value is string text && !choices.Contains(text)
            ? new("unknown_value", setting.Name, value, $"Expected {{{setting.Name}}} {Or(choices)}, found '{text}'.")
            : null;
    }

    private static RequestProblem? Unused(Setting setting, TrainingRequest request)
    {
        if (setting.ValueIn(request) is not { } value) return null;
        if ((setting.Declared.For & request.Way) == 0)
        {
            var takes = setting.Declared.For;
            // What both ways on features take, features take.
            List<string> others = (takes & Ways.Features) == Ways.Features ? ["features"] : [];
            others.AddRange(WayNames.Where(way => (way.Way & takes) != 0 && (others.Count == 0 || (way.Way & Ways.Features) == 0)).Select(way => way.Name));
            return new(
                "unused", setting.Name, value,
                $"{{{setting.Name}}} needs {{Strategy}} {Or(others)}, and has no effect on {WayNames.First(way => way.Way == request.Way).Name}.",
                "Leave it out.");
        }
        return request.Way == Ways.Classifier && ClassifierCatalog.OwnersOf(setting.Name) is { Count: > 0 } owners && !owners.Contains(request.Classifier)
            ? new(
                "unused", setting.Name, value,
                $"{{{setting.Name}}} belongs to {{Classifier}} {Or(owners)}, and has no effect on {request.Classifier}.", "Leave it out.")
            : null;
    }

    private static IEnumerable<RequestProblem> NetworkProblems(TrainingRequest request)
    {
        if (request.Backbones is { Count: 0 }) yield return new("missing", "Backbone", null, "Expected at least one {Backbone}, found none.");
        var backbones = request.BackbonesOrDefault;
        var isFeatures = request.StrategyOrDefault == Strategy.Features;
        foreach (var backbone in backbones)
        {
            foreach (var problem in DeclaredRanges.ProblemsOf(backbone)) yield return new("out_of_range", "Size", backbone.Size, problem);
            if (backbone.Preprocessing is { } mode && !PreprocessingModes.Names.Contains(mode))
                yield return new("unknown_value", "Preprocessing", mode, $"Expected {{Preprocessing}} {Or(PreprocessingModes.Names)}, found '{mode}'.");
            if (BackboneRequests.IsOnnx(backbone.Name))
            {
                if (request.StrategyOrDefault == Strategy.Scratch)
                    yield return new("conflict", "Strategy", request.Strategy, $"{{Strategy}} scratch begins with random weights, and {backbone.Name} has its own.", "Take {Strategy} full.");
                if (backbone.Weights is not null)
                    yield return new("conflict", "Weights", backbone.Weights, $"{backbone.Name} has its weights in it.", "Leave {Weights} out.");
                if (request.Engine == Networks.InferenceEngine.Torch)
                    yield return new("conflict", "Engine", request.Engine, $"{backbone.Name} runs in ONNX Runtime only.", "Leave {Engine} out.");
            }
        }
        if (backbones.Count > 1 && !isFeatures)
        {
            yield return new(
                "conflict", "Strategy", request.Strategy, $"The combination {request.Backbone} stays frozen.",
                "Name one network to train, or leave {Strategy} out.");
        }
        if (backbones.GroupBy(backbone => backbone.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            yield return new("conflict", "Backbone", request.Backbone, $"'{request.Backbone}' names {twice.Key} twice.");
        if (request.StrategyOrDefault == Strategy.Scratch && backbones.FirstOrDefault(backbone => backbone.Preprocessing is not null) is { } fed)
        {
            yield return new(
                "conflict", "Preprocessing", fed.Preprocessing, "{Strategy} scratch feeds photos as the catalog says of the network.", "Leave {Preprocessing} out.");
        }
        if (request.StrategyOrDefault == Strategy.Scratch && backbones.Any(backbone => backbone.Weights is not null))
        {
            yield return new(
                "conflict", "Weights", backbones[0].Weights, "{Strategy} scratch begins with random weights.",
                "Leave {Weights} out, or take {Strategy} full.");
        }
    }

    private static IEnumerable<RequestProblem> Conflicts(TrainingRequest request)
    {
        var strategy = request.StrategyOrDefault;
        var variation = Variations.FirstOrDefault(name => Setting.Named(name).ValueIn(request) is not null);
        if (strategy == Strategy.Features)
        {
            if (request.Views is null && variation is not null)
            {
                yield return new(
                    "conflict", variation, Setting.Named(variation).ValueIn(request),
                    $"{{{variation}}} needs {{Views}} with cached features, of which augmented views are computed once.",
                    "Say how many of each photo with {Views} (8, say), or take {Strategy} head.");
            }
            if (request.Views == 0) yield return new("out_of_range", nameof(request.Views), 0, "Expected {Views} of at least 1 with features, found 0.");
        }
        if (request.Views is > 0 && RequestPlan.AugmentationOf(request, Imaging.Augmentation.Light).IsNone)
        {
            yield return new(
                "conflict", nameof(request.Views), request.Views, "Expected an augmentation that changes something: {Views} of 'none' are all the photo itself.",
                "Leave {Views} out, or take {Augment} light.");
        }
        if (request is { Way: Ways.Classifier, ClassWeights: Data.ClassWeighting.Sampling })
        {
            yield return new(
                "conflict", nameof(request.ClassWeights), request.ClassWeights, "A classic classifier sees all photos at once: it cannot draw some more often.",
                "Take {ClassWeights} balanced.");
        }
        foreach (var problem in TransferProblems(request)) yield return problem;
        foreach (var problem in TeacherProblems(request)) yield return problem;
        if (request is { UnlabeledMethod: not null, Unlabeled: null })
        {
            yield return new(
                "conflict", nameof(request.UnlabeledMethod), request.UnlabeledMethod, "{UnlabeledMethod} says how photos without labels are named, and there are none.",
                "Name them with {Unlabeled}, or leave {UnlabeledMethod} out.");
        }
        if (request is { Unlabeled: not null, Source: not null })
        {
            yield return new(
                "conflict", nameof(request.Unlabeled), request.Unlabeled, "With {Source}, photos without labels are those of a folder called unlabeled beside the classes, which {Method} learns from.",
                "Leave {Unlabeled} out.");
        }
        var isSgd = (request.Optimizer ?? OptimizerKind.Adam) == OptimizerKind.Sgd;
        foreach (var (name, value) in ((string, object?)[])[(nameof(request.Momentum), request.Momentum), (nameof(request.Nesterov), request.Nesterov)])
            if (value is not null && !isSgd) yield return new("unused", name, value, $"{{{name}}} needs {{Optimizer}} sgd.", "Leave it out.");
        if (request.From is not null && request.Backbones is not null)
            yield return new("conflict", nameof(request.From), request.From, "{From} has its network, weights and input in it.", "Leave {Backbone}, {Weights}, {Size}, {Preprocessing} and {Layer} out.");
        if (request.Cache == false && request.CachePrecision == "float16")
            yield return new("conflict", nameof(request.CachePrecision), request.CachePrecision, "{CachePrecision} says how features are kept, and {Cache} keeps none.", "Leave one of them out.");
        string[] ofHeadStage = [nameof(request.Head), nameof(request.Hidden), nameof(request.Dropout), nameof(request.Standardize), nameof(request.Epochs), nameof(request.LearningRate)];
        if (request.HeadStart == HeadStart.Optimum && ofHeadStage.FirstOrDefault(name => Setting.Named(name).ValueIn(request) is not null) is { } ofHead)
        {
            yield return new(
                "conflict", ofHead, Setting.Named(ofHead).ValueIn(request), $"{{{ofHead}}} is of a head that is trained in epochs, and {{HeadStart}} optimum fits it in one go.",
                $"Leave {{{ofHead}}} out, or take {{HeadStart}} epochs.");
        }
        if (request is { HeadStart: HeadStart.Optimum, ClassWeights: Data.ClassWeighting.Sampling })
        {
            yield return new(
                "conflict", nameof(request.ClassWeights), request.ClassWeights, "{HeadStart} optimum sees all photos at once: it cannot draw some more often.", "Take {ClassWeights} balanced.");
        }
        // A warm-up as long as its stage would never reach the learning rate.
        var epochs = strategy == Strategy.FineTune ? request.Stage2Epochs : request.Epochs;
        if (request.WarmUp is { } warmUp && warmUp > 0 && epochs is { } length && warmUp >= length)
        {
            yield return new(
                "conflict", nameof(request.WarmUp), warmUp,
                $"Expected {{WarmUp}} shorter than the training of {length} epochs, found {DeclaredRanges.Text(warmUp)}.");
        }
    }

    private static IEnumerable<RequestProblem> TeacherProblems(TrainingRequest request)
    {
        if (request.Teacher is null)
        {
            string[] ofTeacher = [nameof(request.Distill), nameof(request.DistillTemperature), nameof(request.TeacherShare)];
            if (ofTeacher.FirstOrDefault(name => Setting.Named(name).ValueIn(request) is not null) is { } alone)
                yield return new("conflict", alone, Setting.Named(alone).ValueIn(request), $"{{{alone}}} says how a teacher is learned from, and there is none.", $"Name it with {{Teacher}}, or leave {{{alone}}} out.");
            if (request.Unlabeled is not null && (request.Way & Ways.Staged) != 0)
            {
                yield return new(
                    "conflict", nameof(request.Unlabeled), request.Unlabeled, "A network learns of photos without labels what a {Teacher} answers to them, and there is none.",
                    "Name one with {Teacher}, or leave {Unlabeled} out.");
            }
            yield break;
        }
        if (request.DistillOrDefault is not { } terms)
        {
            yield return new("unknown_value", nameof(request.Distill), request.Distill, $"Expected {{Distill}} {Or([.. TrainingRequest.DistillNames.Keys])}, or several with + between them, found '{request.Distill}'.");
        }
        else if (!terms.HasFlag(DistillationTerms.Logits) && (request.DistillTemperature ?? request.TeacherShare) is not null)
        {
            var name = request.DistillTemperature is null ? nameof(request.TeacherShare) : nameof(request.DistillTemperature);
            yield return new("unused", name, Setting.Named(name).ValueIn(request), $"{{{name}}} is of the teacher's probabilities, and {{Distill}} {request.Distill} does not learn them.", "Leave it out.");
        }
        if (request.Mix is not null and not BatchMixing.None)
            yield return new("conflict", nameof(request.Mix), request.Mix, "The {Teacher} answers to photos, not to blends of them.", "Leave {Mix} out.");
        if (request.ClassWeights == Data.ClassWeighting.Sampling && request.Unlabeled is not null)
            yield return new("conflict", nameof(request.ClassWeights), request.ClassWeights, "Photos without labels are of no class to draw from.", "Take {ClassWeights} balanced.");
    }

    private static IEnumerable<RequestProblem> TransferProblems(TrainingRequest request)
    {
        if (request.Source is null)
        {
            if (request.CoralWeight is not null)
                yield return new("conflict", nameof(request.CoralWeight), request.CoralWeight, "{CoralWeight} is of another source of photos, and there is none.", "Name it with {Source}, or leave {CoralWeight} out.");
            if (request.Method is not null)
                yield return new("conflict", nameof(request.Method), request.Method, "{Method} says how another source of photos helps, and there is none.", "Name it with {Source}, or leave {Method} out.");
            yield break;
        }
        if ((request.Way & Ways.Staged) != 0)
        {
            string[] others = [nameof(request.Teacher), nameof(request.From), nameof(request.Mix)];
            foreach (var other in others.Where(name => Setting.Named(name).ValueIn(request) is not null and not BatchMixing.None))
                yield return new("conflict", other, Setting.Named(other).ValueIn(request), $"{{{other}}} is not combined with photos of another {{Source}}.", "Leave one of them out.");
            if (request.HeadStart == HeadStart.Optimum)
                yield return new("conflict", nameof(request.HeadStart), request.HeadStart, "{HeadStart} optimum is fitted on the photos of one source.", "Leave it out.");
            if (request.ClassWeights == Data.ClassWeighting.Sampling)
                yield return new("conflict", nameof(request.ClassWeights), request.ClassWeights, "Photos without labels are of no class to draw from.", "Take {ClassWeights} balanced.");
            yield break;
        }
        if (request.Views is not null)
            yield return new("conflict", nameof(request.Views), request.Views, "{Views} of photos are not combined with another {Source}.", "Leave {Views} out.");
        if (request.ClassifierOrDefault == AutomaticClassifier.CatalogName)
        {
            yield return new(
                "conflict", nameof(request.Classifier), request.Classifier, "{Classifier} auto would be chosen by photos of the other {Source} above all.",
                "Take {Classifier} logistic.");
        }
        else if (request.TransferOrDefault is { NeedsWeights: true } method && ClassifierCatalog.Names.Contains(request.ClassifierOrDefault)
            && !ClassifierCatalog.Create(request.ClassifierOrDefault).TakesWeights)
        {
            yield return new(
                "conflict", nameof(request.Classifier), request.Classifier, $"{{Method}} {method.Name} lets photos count differently, and {{Classifier}} {request.Classifier} takes all alike.",
                "Take {Classifier} logistic or svm.");
        }
    }

    private static string Or(IReadOnlyList<string> names) =>
        names.Count < 2 ? string.Concat(names) : $"{string.Join(", ", names.SkipLast(1))} or {names[^1]}";
}
