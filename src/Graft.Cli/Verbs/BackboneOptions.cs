using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Classifiers;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Cli.Verbs;

/// <summary>The options that say which pretrained network is meant and how photos are fed to it.</summary>
internal sealed class BackboneOptions
{
    private static readonly Dictionary<string, Func<int, Interpolation, Preprocessing>> Modes = new(StringComparer.Ordinal)
    {
        ["tf"] = Preprocessing.KerasTf,
        ["caffe"] = Preprocessing.KerasCaffe,
        ["torch"] = Preprocessing.KerasTorch,
        ["torchvision"] = (size, interpolation) => Preprocessing.Torchvision(size, (int)Math.Round(size / 0.875), interpolation),
        ["unit"] = Preprocessing.UnitRange,
    };

    private static readonly Dictionary<string, FeaturePooling> Poolings = new(StringComparer.Ordinal)
    {
        ["avg"] = FeaturePooling.Average,
        ["max"] = FeaturePooling.Maximum,
        ["flatten"] = FeaturePooling.Flatten,
        ["none"] = FeaturePooling.None,
    };

    /// <summary>The argument that names what <see cref="Open"/> opens.</summary>
    public static Argument<string> Model() => new("MODEL") { Description = "A trained model, a run folder, or a network of the catalogue" };

    /// <summary>The option that names what <see cref="LoadFeatures"/> loads.</summary>
    public static Option<string> Name() => new("--backbone")
    {
        Description = "The pretrained network (`graft models` lists them), several as a+b, or an .onnx file",
        HelpName = "NAME",
        DefaultValueFactory = _ => BackboneCatalog.Default,
    };

    /// <summary>The poolings that give a vector, as a classifier needs it, and all of them.</summary>
    public static IReadOnlyList<string> VectorPoolings { get; } = ["avg", "max", "flatten"];

    public static IReadOnlyList<string> AllPoolings { get; } = [.. Poolings.Keys];

    private readonly Option<string[]> _weights = new("--weights")
    {
        Description = "Pretrained weights of that network: a .safetensors, .pth or Keras .h5 file; of a combination NAME=FILE for each",
        HelpName = "[NAME=]FILE",
    };

    private readonly Option<string[]> _size = new("--size")
    {
        Description = "Input size in pixels, if not the network's usual one",
        HelpName = "[NAME=]PIXELS",
    };

    private readonly Option<string[]> _preprocessing = new("--preprocessing")
    {
        Description = $"How the weights' network was fed, if not as the catalogue says: {string.Join(", ", Modes.Keys.SkipLast(1))} or {Modes.Keys.Last()}",
        HelpName = "[NAME=]MODE",
    };

    private readonly Option<string[]> _layer = new("--layer")
    {
        Description = "Take the features after this layer or block, not before the head",
        HelpName = "[NAME=]LAYER",
    };

    private readonly Option<string> _pool = new("--pool")
    {
        Description = "How a layer's map becomes features: avg (one number per channel), max or flatten",
        HelpName = "HOW",
        DefaultValueFactory = _ => "avg",
    };

    private readonly Option<string> _engine = new("--engine")
    {
        Description = "What computes the features: onnx (ONNX Runtime, the faster) or torch (libtorch)",
        HelpName = "NAME",
        DefaultValueFactory = _ => "onnx",
    };

    /// <summary>Adds also where the network is cut, how its output is pooled, and what computes it.</summary>
    public void AddTo(Command command, IEnumerable<string> poolings)
    {
        _pool.AcceptOnlyFromAmong([.. poolings]);
        _engine.AcceptOnlyFromAmong("onnx", "torch");
        AddTo(command);
        command.Add(_layer);
        command.Add(_pool);
        command.Add(_engine);
    }

    /// <summary>The name of one of these options that is on the command line; null if none is.</summary>
    public string? FirstGiven(ParseResult parsed) =>
        ((Option[])[_weights, _size, _preprocessing, _layer, _pool, _engine])
            .FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false })?.Name;

    public InferenceEngine Engine(ParseResult parsed) =>
        parsed.GetRequiredValue(_engine) == "torch" ? InferenceEngine.Torch : InferenceEngine.Onnx;

    public void AddTo(Command command)
    {
        command.Add(_weights);
        command.Add(_size);
        command.Add(_preprocessing);
    }

    /// <summary>
    /// Loads a catalogue network, or its part up to a layer, as these options say, fetching its published weights if they are not here yet.
    /// </summary>
    /// <param name="isCombined">Whether options without a name are meant for others too.</param>
    private Backbone Load(string name, bool isCombined, ParseResult parsed, CancellationToken cancellation, string? upTo = null)
    {
        var definition = BackboneCatalog.Find(name);
        var file = Weights(name, isCombined, parsed);
        if (file is not null && !File.Exists(file)) throw new UsageException($"There is no weights file {file}.");
        var usual = definition.WeightsOf(file).Preprocessing;
        var size = Size(name, parsed) ?? usual.InputWidth;
        var preprocessing = Mode(name, parsed) is { } mode ? mode(size, Interpolation.Bilinear) : usual.WithInputSize(size, size);
        if (file is null) PublishedWeights.Ensure(definition, cancellation);
        return Backbone.Load(name, file, preprocessing, upTo);
    }

    /// <summary>
    /// A catalogue network, or an ONNX file, cut to its features, as these options say; or several, with <c>+</c> between their names.
    /// </summary>
    public FeatureBlocks LoadFeatures(string names, ParseResult parsed, CancellationToken cancellation)
    {
        string[] list = File.Exists(names) ? [names] : names.Split('+', StringSplitOptions.TrimEntries);
        if (list.Distinct(StringComparer.Ordinal).Count() < list.Length) throw new UsageException($"'{names}' names a network twice.");
        CheckNames(list, parsed);
        var blocks = new List<Backbone>();
        try
        {
            foreach (var name in list)
            {
                var whole = IsOnnx(name)
                    ? LoadOnnx(name, parsed, OnnxBackbone.Load)
                    : Load(name, list.Length > 1, parsed, cancellation, ValueFor(name, _layer, parsed));
                blocks.Add(whole);
                blocks[^1] = whole.Features(Poolings[parsed.GetRequiredValue(_pool)]);
            }
            return new(blocks);
        }
        catch
        {
            foreach (var block in blocks) block.Dispose();
            throw;
        }
    }

    /// <summary>One network to be trained itself, with pretrained weights, or with random ones where a seed is given.</summary>
    public Backbone LoadTrainable(string name, int? untrainedSeed, ParseResult parsed, CancellationToken cancellation)
    {
        CheckTrainable(name);
        CheckNames([name], parsed);
        if (IsOnnx(name))
        {
            return untrainedSeed is null
                ? LoadOnnx(name, parsed, OnnxBackbone.LoadTrainable)
                : throw new UsageException($"--strategy scratch begins with random weights, and {name} has its own: take --strategy full.");
        }
        if (untrainedSeed is not { } seed) return Load(name, isCombined: false, parsed, cancellation, ValueFor(name, _layer, parsed));
        if (ValueFor(name, _weights, parsed) is not null)
            throw new UsageException("--strategy scratch begins with random weights: leave --weights out, or take --strategy full.");
        var untrained = Backbone.Untrained(name, seed);
        return Size(name, parsed) is { } size ? untrained.WithInputSize(size, size) : untrained;
    }

    /// <exception cref="UsageException">It is no single network of the catalogue.</exception>
    public static void CheckTrainable(string name)
    {
        if (name.Contains('+')) throw new UsageException($"The combination {name} stays frozen: name one network to train, or leave --strategy out.");
    }

    /// <summary>What a run folder is called after: a network of the catalog without its source, an ONNX file without its ending.</summary>
    public static string ShortName(string name) =>
        IsOnnx(name) ? Path.GetFileNameWithoutExtension(name) : BackboneCatalog.Find(name).FullName.Split('.')[0];

    /// <summary>A value of --weights or --from, or of --backbone where it is a file, with the file's full path; other options' values as they are.</summary>
    public static string WithFullPath(string option, string value) => option switch
    {
        "--weights" => NameIn(value) is { } name ? $"{name}={Path.GetFullPath(value[(name.Length + 1)..])}" : Path.GetFullPath(value),
        "--backbone" when File.Exists(value) => Path.GetFullPath(value),
        "--from" => Path.GetFullPath(value),
        _ => value,
    };

    private static bool IsOnnx(string name) => name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase);

    private Backbone LoadOnnx(string file, ParseResult parsed, Func<string, Func<int, Preprocessing>, string?, int?, Backbone> load)
    {
        if (!File.Exists(file)) throw new UsageException($"There is no ONNX file {file}.");
        if (ValueFor(file, _weights, parsed) is not null) throw new UsageException($"{file} has its weights in it. Leave --weights out.");
        if (Engine(parsed) == InferenceEngine.Torch) throw new UsageException($"{file} runs in ONNX Runtime only. Leave --engine out.");
        return Mode(file, parsed) is { } mode
            ? load(file, size => mode(size, Interpolation.Bilinear), ValueFor(file, _layer, parsed), Size(file, parsed))
            : throw new UsageException(
                $"{file} does not say how photos are to be fed to it. Say so with --preprocessing: {string.Join(", ", Modes.Keys)} (torchvision for most PyTorch models, tf for most of TensorFlow).");
    }

    private string? Weights(string name, bool isCombined, ParseResult parsed)
    {
        var file = ValueFor(name, _weights, parsed, out var isNamed);
        return file is null || isNamed || !isCombined
            ? file
            : throw new UsageException($"Say which network of the combination {file} belongs to: --weights {name}={file}.");
    }

    private Func<int, Interpolation, Preprocessing>? Mode(string name, ParseResult parsed) =>
        ValueFor(name, _preprocessing, parsed) is not { } mode ? null
        : Modes.TryGetValue(mode, out var known) ? known
        : throw new UsageException($"Expected --preprocessing {string.Join(", ", Modes.Keys)}, found '{mode}'.");

    private int? Size(string name, ParseResult parsed) =>
        ValueFor(name, _size, parsed) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is >= 8 and <= 4096 ? size
        : throw new UsageException($"Expected --size from 8 to 4096 pixels, found '{text}'.");

    private static string? ValueFor(string name, Option<string[]> option, ParseResult parsed) => ValueFor(name, option, parsed, out _);

    /// <summary>What an option says of one network: NAME=VALUE, else what it says of all.</summary>
    private static string? ValueFor(string name, Option<string[]> option, ParseResult parsed, out bool isNamed)
    {
        var values = parsed.GetValue(option) ?? [];
        var named = values.Where(value => value.StartsWith($"{name}=", StringComparison.Ordinal)).Select(value => value[(name.Length + 1)..]).ToList();
        isNamed = named.Count > 0;
        var meant = isNamed ? named : [.. values.Where(value => NameIn(value) is null)];
        return meant.Count <= 1
            ? meant.SingleOrDefault()
            : throw new UsageException($"{option.Name} is given {meant.Count} times for {name}: {string.Join(", ", meant)}. Give it once.");
    }

    /// <summary>The NAME of NAME=VALUE; null of a plain value, which may be a path with an equals sign.</summary>
    private static string? NameIn(string value) =>
        value.Split('=', 2) is [var name, _] && (BackboneCatalog.Contains(name) || IsOnnx(name)) ? name : null;

    private void CheckNames(string[] names, ParseResult parsed)
    {
        foreach (var option in (Option<string[]>[])[_weights, _size, _preprocessing, _layer])
        {
            if ((parsed.GetValue(option) ?? []).FirstOrDefault(value => NameIn(value) is { } name && !names.Contains(name)) is { } stray)
                throw new UsageException($"{option.Name} {stray} is for a network that --backbone does not name.");
        }
    }

    /// <summary>A trained model (a file or a run folder), or a catalogue network with its original head.</summary>
    public ImageClassifier Open(string model, ParseResult parsed, CancellationToken cancellation)
    {
        if (Path.Exists(model))
        {
            if (FirstGiven(parsed) is { } stray)
                throw new UsageException($"{stray} is for networks of the catalogue. {model} is a trained model, which knows it all: leave {stray} out.");
            try
            {
                return ImageClassifier.Open(model);
            }
            catch (CheckpointException problem) when (File.Exists(model))
            {
                throw new GraftException($"{model} is no trained model: {problem.Message} A run folder is named first, then the photos.", problem);
            }
        }
        if (!BackboneCatalog.Contains(model))
        {
            throw new UsageException(
                $"There is no model '{model}': no such file or run folder, and no network of that name (`graft models` lists them).");
        }
        var backbone = Load(model, isCombined: false, parsed, cancellation);
        try
        {
            return ImageClassifier.Of(backbone);
        }
        catch
        {
            backbone.Dispose();
            throw;
        }
    }
}
