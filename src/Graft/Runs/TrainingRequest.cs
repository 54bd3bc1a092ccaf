using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;
using Graft.Transfer;
using Graft.Unlabeled;

namespace Graft.Runs;

/// <summary>One pretrained network of a request, and how photos are fed to it.</summary>
public sealed record BackboneRequest
{
    /// <summary>A name of the catalog, or an .onnx file.</summary>
    public string Name { get; init; } = BackboneCatalog.Default;

    /// <summary>A .safetensors, .pth or Keras .h5 file with its weights. Default: the published ones.</summary>
    public string? Weights { get; init; }

    /// <summary>Input size in pixels. Default: the weights' usual one.</summary>
    [Range(8, 4096)]
    public int? Size { get; init; }

    /// <summary>How the weights' network was fed: a name of <see cref="PreprocessingModes"/>. Default: as the catalog says.</summary>
    public string? Preprocessing { get; init; }

    /// <summary>How photos are fitted to the input: cropped, padded or stretched. Default: as the catalog says.</summary>
    public Fit? Fit { get; init; }

    /// <summary>The layer or block after which features are taken. Default: before the head.</summary>
    public string? Layer { get; init; }
}

/// <summary>
/// All that a training run is to do, as data: what the command line, a page or C# fill in, <c>run.json</c> holds, and a run is resumed and repeated
/// from. What is left null takes the default of the strategy. A recipe is a request with only some properties set: see <see cref="Recipe"/>.
/// </summary>
public sealed record TrainingRequest
{
    public const int CurrentVersion = 1;

    /// <summary>The value of <see cref="C"/> that lets cross-validation choose it; <c>"auto"</c> in JSON.</summary>
    public const double AutomaticC = double.PositiveInfinity;

    /// <summary>Of this document's format.</summary>
    public int Version { get; init; } = CurrentVersion;

    [Setting(SettingGroup.Photos, "Labeled photos: a folder per class; train/, val/ and test/ folders of such; names such as cat.0.jpg; or a CSV of path,label", Placeholder = "DIR", IsBasic = true)]
    public string? Photos { get; init => field = Named(value); }

    [Setting(SettingGroup.Photos, "Share of the training images held back for validation where the photos have none of their own (default: 0.2)", Placeholder = "SHARE", IsBasic = true)]
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Validation { get; init; }

    [Setting(SettingGroup.Photos, "Table: the column that names the image")]
    public string? PathColumn { get; init; }

    [Setting(SettingGroup.Photos, "Table: the column that names the class")]
    public string? LabelColumn { get; init; }

    [Setting(SettingGroup.Photos, "Table: the column that says train, val or test")]
    public string? SplitColumn { get; init; }

    [Setting(SettingGroup.Photos, "Table: the folder that its paths start from (default: the table's)", Placeholder = "DIR")]
    public string? ImageFolder { get; init => field = Named(value); }

    [Setting(SettingGroup.Photos, "Table: what its paths lack at the end, such as .jpg", Placeholder = "TEXT")]
    public string? ImageSuffix { get; init; }

    [Setting(SettingGroup.Photos, "Photos without labels: they are named and learned from, without those named wrongly most likely; with a teacher, its answers to them are learned", Placeholder = "DIR", For = Ways.Classifier | Ways.Staged)]
    public string? Unlabeled { get; init => field = Named(value); }

    [Setting(SettingGroup.Method, "How photos without labels are named: self-training (by the classifier itself, in rounds; the default) or label-spreading (from the labeled photos to their neighbors and on)", Placeholder = "METHOD", For = Ways.Classifier)]
    [AllowedValues("self-training", "label-spreading")]
    public string? UnlabeledMethod { get; init; }

    [Setting(SettingGroup.Photos, "More labeled photos from another source, such as a catalog or an older camera; DIR may then have labels, some (with a folder unlabeled) or none. Or, for a classic classifier, stored features of such photos, a .safetensors file", Placeholder = "DIR|FILE", For = Ways.Classifier | Ways.Staged, IsBasic = true)]
    public string? Source { get; init => field = Named(value); }

    [Setting(SettingGroup.Method, "How the other source helps: auto (by cross-validation on labeled photos, the default), target (not at all), pool, balanced, tradaboost, density, ulsif, rulsif, kliep, mean, standardize, coral, monge, subspace, adabn, tca or jda", Placeholder = "METHOD", For = Ways.Classifier, IsBasic = true)]
    public string? Method { get; init; }

    [Setting(SettingGroup.Method, "How much it counts that photos of both sources look alike to the network that is trained: the weight of Deep CORAL in the loss (default: 1); 0 pools both sources", Placeholder = "NUMBER", For = Ways.Staged, Of = typeof(TrainingPlan))]
    public double? CoralWeight { get; init; }

    /// <summary>One network, or several whose features are joined; of those no name comes twice. Default: <see cref="BackboneCatalog.Default"/>.</summary>
    public IReadOnlyList<BackboneRequest>? Backbones { get; init; }

    /// <summary>The names of <see cref="Backbones"/>, with <c>+</c> between them: <c>Backbone = "mobilenet_v2"</c> sets them.</summary>
    [JsonIgnore]
    public string Backbone
    {
        get => string.Join('+', BackbonesOrDefault.Select(backbone => backbone.Name));
        init => Backbones = BackboneRequests.Named(value);
    }

    [Setting(SettingGroup.Network, "Train a trained model further, on more or other photos: with its head if it knows all their classes, else with a new one", Placeholder = "MODEL", For = Ways.Staged & ~Ways.Scratch)]
    public string? From { get; init; }

    [Setting(SettingGroup.Network, "Distillation: a trained model, larger as a rule, whose answers the network learns beside the labels, also for photos without labels; it knows all classes", Placeholder = "MODEL", For = Ways.Staged)]
    public string? Teacher { get; init; }

    [Setting(SettingGroup.Network, "What is learned of the teacher: logits (its probabilities, the default), relations (distances and angles between photos), similarity, or several with + between them", Placeholder = "TERMS", For = Ways.Staged)]
    public string? Distill { get; init; }

    [Setting(SettingGroup.Network, "What the logits of teacher and student are divided by (default: 4)", Placeholder = "NUMBER", For = Ways.Staged, Of = typeof(DistillationOptions), OfProperty = nameof(DistillationOptions.Temperature))]
    public double? DistillTemperature { get; init; }

    [Setting(SettingGroup.Network, "The part of the loss that is the teacher's probabilities (default: 0.9)", Placeholder = "SHARE", For = Ways.Staged, Of = typeof(DistillationOptions))]
    public double? TeacherShare { get; init; }

    [Setting(SettingGroup.Network, "How a layer's map becomes features: avg (one number per channel; the default), max or flatten", Placeholder = "HOW")]
    [AllowedValues("avg", "max", "flatten")]
    public string? Pool { get; init; }

    [Setting(SettingGroup.Network, "What computes the features: onnx (ONNX Runtime, faster; the default) or torch (libtorch)", For = Ways.Features)]
    public InferenceEngine? Engine { get; init; }

    [Setting(SettingGroup.Method, "features (cached, the default), head (augmented), finetune (head, then unfrozen), partial (lower layers frozen), full or scratch", IsBasic = true)]
    public Strategy? Strategy { get; init; }

    [Setting(SettingGroup.Method, "What is fitted on the features: softmax (a head trained in epochs, the default), auto (the best of those that follow, by cross-validation), logistic, svm, rbf-svm, lda, bayes, knn, mean or centered-mean", For = Ways.Features, IsBasic = true)]
    public string? Classifier { get; init; }

    [Setting(SettingGroup.Method, "Inverse regularization strength (logistic, svm, rbf-svm): smaller is stronger; auto chooses by cross-validation (default: 1)", Placeholder = "NUMBER|auto", For = Ways.Classifier, Option = "--C")]
    [JsonConverter(typeof(RegularizationConverter))]
    [Range(0, double.PositiveInfinity, MinimumIsExclusive = true)]
    public double? C { get; init; }

    [Setting(SettingGroup.Method, "Gamma of the Gaussian kernel (rbf-svm; default: by the variance of the features)", Placeholder = "NUMBER", For = Ways.Classifier, Of = typeof(ClassifierOptions))]
    public double? Gamma { get; init; }

    [Setting(SettingGroup.Method, "How many training images vote (knn; default: 5)", Placeholder = "K", For = Ways.Classifier, Of = typeof(ClassifierOptions))]
    public int? Neighbors { get; init; }

    [Setting(SettingGroup.Method, "Shrinkage of the covariance (lda; default: chosen by leave-one-out)", Placeholder = "SHARE", For = Ways.Classifier, Of = typeof(ClassifierOptions))]
    public double? Shrinkage { get; init; }

    [Setting(SettingGroup.Method, "Do not calibrate the classifier's probabilities", For = Ways.Classifier, IsNegative = true)]
    public bool? Calibrate { get; init; }

    [Setting(SettingGroup.Method, "For classes of unequal size: none, balanced (every class counts the same) or sampling (rare classes are drawn more often; not for classic classifiers)", Placeholder = "HOW", Aliases = "--balance")]
    public ClassWeighting? ClassWeights { get; init; }

    [Setting(SettingGroup.Method, "Do not standardize the features first", IsNegative = true, Aliases = "--no-batch-norm")]
    public bool? Standardize { get; init; }

    [Setting(SettingGroup.Method, "After measuring, fit the classifier once more on the training and validation images together", For = Ways.Classifier)]
    public bool? Refit { get; init; }

    [Setting(SettingGroup.Method, "Share of photos like the training photos that may be called unlike them, none of the classes (default: 0.02); 0 tells no photo so", Placeholder = "SHARE", Of = typeof(TrainingPlan))]
    public double? Refuse { get; init; }

    [Setting(SettingGroup.Method, "The new head: softmax, dense (1,024 units, dropout 0.5), fc (flatten, 256 units, dropout 0.5) or binary (one logit, dropout 0.2)", For = Ways.Epochs)]
    [AllowedValues("softmax", "dense", "fc", "binary")]
    public string? Head { get; init; }

    [Setting(SettingGroup.Method, "Units of the head's hidden dense layers (the classic recipe: 1024)", Placeholder = "UNITS[,UNITS]", For = Ways.Epochs, Option = "--hidden", IsBasic = true)]
    [Range(1, int.MaxValue)]
    public IReadOnlyList<int>? Hidden { get; init; }

    [Setting(SettingGroup.Method, "Share of values dropped before the last layer", Placeholder = "SHARE", For = Ways.Epochs, IsBasic = true)]
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? Dropout { get; init; }

    [Setting(SettingGroup.Training, "adam, adamw, sgd or rmsprop", For = Ways.Epochs)]
    public OptimizerKind? Optimizer { get; init; }

    [Setting(SettingGroup.Training, "Momentum of SGD (default: 0.9)", Placeholder = "NUMBER", For = Ways.Epochs, Of = typeof(TrainingOptions))]
    public double? Momentum { get; init; }

    [Setting(SettingGroup.Training, "Whether SGD's momentum is Nesterov's (default: true)", Placeholder = "BOOL", For = Ways.Epochs)]
    public bool? Nesterov { get; init; }

    [Setting(SettingGroup.Training, "Learning rate; of finetune, that of the head's stage", Placeholder = "RATE", For = Ways.Epochs, Of = typeof(TrainingOptions), IsBasic = true)]
    public double? LearningRate { get; init; }

    [Setting(SettingGroup.Training, "Learning-rate schedule: constant, cosine, one-cycle, step or plateau", For = Ways.Epochs)]
    [AllowedValues("constant", "cosine", "one-cycle", "step", "plateau")]
    public string? Schedule { get; init; }

    [Setting(SettingGroup.Training, "Epochs of learning-rate warm-up from 0", Placeholder = "EPOCHS", For = Ways.Epochs, Of = typeof(TrainingOptions), OfProperty = nameof(TrainingOptions.WarmUpEpochs))]
    public double? WarmUp { get; init; }

    [Setting(SettingGroup.Training, "L2 penalty on kernels (AdamW: decoupled weight decay)", Placeholder = "FACTOR", For = Ways.Epochs, Of = typeof(TrainingOptions))]
    public double? WeightDecay { get; init; }

    [Setting(SettingGroup.Training, "Images per step", Placeholder = "IMAGES", For = Ways.Epochs, Of = typeof(TrainingOptions))]
    public int? BatchSize { get; init; }

    [Setting(SettingGroup.Training, "The most passes over the training images; of finetune, those of the head's stage", Placeholder = "COUNT", For = Ways.Epochs, Of = typeof(TrainingOptions), IsBasic = true)]
    public int? Epochs { get; init; }

    [Setting(SettingGroup.Training, "Early stopping: epochs without a lower validation loss; 0 never stops early", Placeholder = "EPOCHS", For = Ways.Epochs, Of = typeof(TrainingOptions))]
    public int? Patience { get; init; }

    [Setting(SettingGroup.Training, "The share of the target spread over all classes", Placeholder = "SHARE", For = Ways.Epochs, Of = typeof(TrainingOptions))]
    public double? LabelSmoothing { get; init; }

    [Setting(SettingGroup.Training, "Blend the images of a batch: none, mixup or cutmix", Placeholder = "HOW", For = Ways.Epochs)]
    public BatchMixing? Mix { get; init; }

    [Setting(SettingGroup.Training, "Gradient clipping: the largest norm of the gradient", Placeholder = "NORM", For = Ways.Epochs, Of = typeof(TrainingOptions), OfProperty = nameof(TrainingOptions.GradientClip))]
    public double? Clip { get; init; }

    [Setting(SettingGroup.Training, "Keep an exponential moving average of the weights with this decay, such as 0.999", Placeholder = "DECAY", For = Ways.Epochs, Of = typeof(TrainingOptions), Aliases = "--average")]
    public double? EmaDecay { get; init; }

    [Setting(SettingGroup.Unfreezing, "Train the network from this layer or block on", Placeholder = "LAYER", For = Ways.Unfrozen)]
    public string? UnfreezeFrom { get; init; }

    [Setting(SettingGroup.Unfreezing, "Weights of the unfrozen pretrained layers that learn: all (the default), norms (scale and shift of normalizations alone) or biases; of norms and biases, the learning rate is ten times the usual", Placeholder = "WEIGHTS", For = Ways.Pretrained)]
    public TunedWeights? Tune { get; init; }

    [Setting(SettingGroup.Unfreezing, "Keep the pretrained weights near what they were: L2-SP's penalty on their distance, in the place of weight decay, such as 0.1", Placeholder = "FACTOR", For = Ways.Pretrained, Of = typeof(TrainingOptions))]
    public double? L2Sp { get; init; }

    [Setting(SettingGroup.Unfreezing, "How finetune's head is trained before the network is unfrozen: epochs (the default) or optimum (logistic regression to its one optimum, C by cross-validation)", Placeholder = "HOW", For = Ways.FineTune)]
    public HeadStart? HeadStart { get; init; }

    [Setting(SettingGroup.Unfreezing, "Layers that stay frozen: 0..172 (by number, without the last), features.1*, or a name; several with commas", Placeholder = "LAYERS", For = Ways.Unfrozen)]
    public string? Freeze { get; init; }

    [Setting(SettingGroup.Unfreezing, "How batch norms of unfrozen layers run: inference (the default) or training", Placeholder = "MODE", For = Ways.Pretrained)]
    public BatchNormMode? BatchNorm { get; init; }

    [Setting(SettingGroup.Unfreezing, "Epochs with the network unfrozen", Placeholder = "COUNT", For = Ways.FineTune, Of = typeof(TrainingOptions), OfProperty = nameof(TrainingOptions.Epochs), Option = "--stage2-epochs")]
    [JsonPropertyName("stage2_epochs")]
    public int? Stage2Epochs { get; init; }

    [Setting(SettingGroup.Unfreezing, "Learning rate with the network unfrozen", Placeholder = "RATE", For = Ways.FineTune, Of = typeof(TrainingOptions), OfProperty = nameof(TrainingOptions.LearningRate), Option = "--stage2-learning-rate")]
    [JsonPropertyName("stage2_learning_rate")]
    public double? Stage2LearningRate { get; init; }

    [Setting(SettingGroup.Unfreezing, "Layer-wise learning-rate decay: the part of the learning rate that the lowest trained layer gets", Placeholder = "FACTOR", For = Ways.Unfrozen, Of = typeof(TrainingOptions), Aliases = "--lowest-layer-rate")]
    public double? LayerwiseLearningRateDecay { get; init; }

    [Setting(SettingGroup.Augmentation, "How training photos are varied: none, light, medium or strong", Placeholder = "PRESET", IsBasic = true)]
    [AllowedValues("none", "light", "medium", "strong")]
    public string? Augment { get; init; }

    [Setting(SettingGroup.Augmentation, "Augmented views of each photo, for epochs to take in turn; what frozen layers or a teacher make of each is computed once and kept; 0 for new ones in each epoch (not with features)", Placeholder = "COUNT", Of = typeof(StageOptions), IsBasic = true)]
    public int? Views { get; init; }

    [Setting(SettingGroup.Augmentation, "Mirror every other view (true or false)", Placeholder = "BOOL")]
    public bool? Flip { get; init; }

    [Setting(SettingGroup.Augmentation, "Turn every other view upside down", Placeholder = "BOOL")]
    public bool? VerticalFlip { get; init; }

    [Setting(SettingGroup.Augmentation, "The largest turn to either side", Placeholder = "DEGREES")]
    [Range(0.0, 180.0)]
    public double? Rotation { get; init; }

    [Setting(SettingGroup.Augmentation, "The largest shift, as a share of the side", Placeholder = "SHARE")]
    [Range(0.0, 1.0)]
    public double? Shift { get; init; }

    [Setting(SettingGroup.Augmentation, "Enlarge by 1 - SHARE to 1 + SHARE", Placeholder = "SHARE")]
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? Zoom { get; init; }

    [Setting(SettingGroup.Augmentation, "The smallest share of the area that a random crop keeps", Placeholder = "SHARE")]
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double? Crop { get; init; }

    [Setting(SettingGroup.Augmentation, "The largest change of brightness", Placeholder = "SHARE")]
    [Range(0.0, 1.0)]
    public double? Brightness { get; init; }

    [Setting(SettingGroup.Augmentation, "The largest change of contrast", Placeholder = "SHARE")]
    [Range(0.0, 1.0)]
    public double? Contrast { get; init; }

    [Setting(SettingGroup.Augmentation, "The largest change of saturation", Placeholder = "SHARE", Aliases = "--colour")]
    [Range(0.0, 1.0)]
    public double? Color { get; init; }

    [Setting(SettingGroup.Augmentation, "The side of a square that is covered, as a share", Placeholder = "SHARE")]
    [Range(0.0, 1.0)]
    public double? Cutout { get; init; }

    [Setting(SettingGroup.Augmentation, "What stands beyond the edge: reflect, edge or black", Placeholder = "RULE")]
    public FillRule? Fill { get; init; }

    [Setting(SettingGroup.Machine, "Decides split, initial weights, order and views (default: 1)", Placeholder = "NUMBER", IsBasic = true)]
    public int? Seed { get; init; }

    [Setting(SettingGroup.Machine, "Where training computes: auto (the default), cpu, cuda or mps", For = Ways.Staged)]
    public ComputeDevice? Device { get; init; }

    [Setting(SettingGroup.Machine, "Threads that libtorch computes with (default: one per core)", Placeholder = "COUNT", For = Ways.Staged)]
    [Range(1, 1024)]
    public int? Threads { get; init; }

    [Setting(SettingGroup.Machine, "Neither use nor fill the feature cache", IsNegative = true)]
    public bool? Cache { get; init; }

    [Setting(SettingGroup.Machine, "Keep features as float32 (the default), or as float16 in half the space and rounded to 11 bits", Placeholder = "TYPE")]
    [AllowedValues("float32", "float16")]
    public string? CachePrecision { get; init; }

    internal IReadOnlyList<BackboneRequest> BackbonesOrDefault => Backbones ?? [new BackboneRequest()];

    internal Strategy StrategyOrDefault => Strategy ?? Training.Strategy.Features;

    internal string ClassifierOrDefault => Classifier ?? TransferOrDefault?.DefaultClassifier.Name ?? Softmax;

    /// <summary>Null without another source, or with a method that there is not.</summary>
    internal TransferMethod? TransferOrDefault =>
        Source is null || StrategyOrDefault != Training.Strategy.Features ? null : TransferCatalog.Methods.FirstOrDefault(method => method.Name == (Method ?? TransferCatalog.Default));

    /// <summary>Null without photos to name, or with a method that there is not.</summary>
    internal PseudoLabeling? PseudoLabelingOrDefault => this is { Unlabeled: not null, Teacher: null }
        ? PseudoLabeling.Methods.FirstOrDefault(method => method.Name == (UnlabeledMethod ?? PseudoLabeling.Methods[0].Name))
        : null;

    internal int SeedOrDefault => Seed ?? new TrainingOptions().Seed;

    /// <summary>Null of a name that there is not.</summary>
    internal DistillationTerms? DistillOrDefault
    {
        get
        {
            var terms = DistillationTerms.None;
            foreach (var name in (Distill ?? "logits").Split('+'))
            {
                if (!DistillNames.TryGetValue(name, out var term)) return null;
                terms |= term;
            }
            return terms;
        }
    }

    internal static IReadOnlyDictionary<string, DistillationTerms> DistillNames { get; } = new Dictionary<string, DistillationTerms>(StringComparer.Ordinal)
    {
        ["logits"] = DistillationTerms.Logits,
        ["relations"] = DistillationTerms.Relations,
        ["similarity"] = DistillationTerms.Similarity,
    };

    internal const string Softmax = "softmax";

    /// <summary>The way to train that the request asks for: one of <see cref="Ways"/>.</summary>
    [JsonIgnore]
    public Ways Way => StrategyOrDefault switch
    {
        Training.Strategy.Features => ClassifierOrDefault == Softmax ? Ways.Softmax : Ways.Classifier,
        var strategy => Enum.Parse<Ways>(strategy.ToString()),
    };

    /// <summary>What is wrong with the request, all of it; empty if nothing is. Files are not looked at.</summary>
    public IReadOnlyList<RequestProblem> Problems() => RequestValidation.ProblemsOf(this);

    /// <summary>The same with full paths, so that it can be carried out from any folder.</summary>
    public TrainingRequest WithFullPaths() => this with
    {
        Photos = Full(Photos),
        ImageFolder = Full(ImageFolder),
        From = Full(From),
        Source = Full(Source),
        Unlabeled = Full(Unlabeled),
        Teacher = Full(Teacher),
        Backbones = Backbones is null ? null :
        [
            .. Backbones.Select(backbone => backbone with
            {
                Name = BackboneRequests.IsOnnx(backbone.Name) ? Full(backbone.Name)! : backbone.Name,
                Weights = Full(backbone.Weights),
            }),
        ],
    };

    /// <summary>Without the signature that the address of what lies on another machine may have: it goes into no file.</summary>
    private static string? Named(string? path) => path is null ? null : RemotePlace.Of(path);

    private static string? Full(string? path) => path is null ? null : RemotePlace.Full(path);

    /// <summary>This request with what a recipe says where this one says nothing.</summary>
    public TrainingRequest Over(TrainingRequest recipe) => RequestJson.Merge(recipe, this);

    /// <summary>The JSON document, with what was set alone.</summary>
    public string ToJson() => RequestJson.Write(this);

    /// <param name="source">What errors call it: a file's name.</param>
    /// <exception cref="GraftException">It is no such document, has unknown properties, or is of a newer version.</exception>
    public static TrainingRequest FromJson(string json, string source = "the request") => RequestJson.Read(json, source);
}
