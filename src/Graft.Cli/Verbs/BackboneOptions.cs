using System.CommandLine;
using Graft.Backbones;
using Graft.Classifiers;
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

    /// <summary>The poolings that give a vector, as a classifier needs it, and all of them.</summary>
    public static IReadOnlyList<string> VectorPoolings { get; } = ["avg", "max", "flatten"];

    public static IReadOnlyList<string> AllPoolings { get; } = [.. Poolings.Keys];

    private readonly Option<FileInfo?> _weights = new("--weights")
    {
        Description = "Pretrained weights of that network: a .safetensors, .pth or Keras .h5 file",
        HelpName = "FILE",
    };

    private readonly Option<int?> _size = new("--size") { Description = "Input size in pixels, if not the network's usual one", HelpName = "PIXELS" };

    private readonly Option<string?> _preprocessing = new("--preprocessing")
    {
        Description = "How the weights' network was fed, if not as the catalogue says: tf, caffe, torch, torchvision or unit",
        HelpName = "MODE",
    };

    private readonly Option<string?> _layer = new("--layer")
    {
        Description = "Take the features after this layer or block, not before the head",
        HelpName = "NAME",
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

    public InferenceEngine Engine(ParseResult parsed) =>
        parsed.GetRequiredValue(_engine) == "torch" ? InferenceEngine.Torch : InferenceEngine.Onnx;

    public void AddTo(Command command)
    {
        _preprocessing.AcceptOnlyFromAmong([.. Modes.Keys]);
        command.Add(_weights);
        command.Add(_size);
        command.Add(_preprocessing);
    }

    /// <summary>
    /// Loads a catalogue network, or its part up to a layer, as these options say, fetching its published weights if they are not here yet.
    /// </summary>
    public Backbone Load(string name, ParseResult parsed, CancellationToken cancellation, string? upTo = null)
    {
        var definition = BackboneCatalog.Find(name);
        var file = parsed.GetValue(_weights);
        if (file is { Exists: false }) throw new UsageException($"There is no weights file {file}.");
        var usual = definition.WeightsOf(file?.FullName).Preprocessing;
        var size = Size(parsed) ?? usual.InputWidth;
        var preprocessing = parsed.GetValue(_preprocessing) is { } mode
            ? Modes[mode](size, Interpolation.Bilinear)
            : usual.WithInputSize(size, size);
        if (file is null) PublishedWeights.Ensure(definition, cancellation);
        return Backbone.Load(name, file?.FullName, preprocessing, upTo);
    }

    /// <summary>A catalogue network, or an ONNX file, cut to its features, as these options say.</summary>
    public Backbone LoadFeatures(string name, ParseResult parsed, CancellationToken cancellation)
    {
        var whole = IsOnnx(name) ? LoadOnnx(name, parsed) : Load(name, parsed, cancellation, parsed.GetValue(_layer));
        try
        {
            return whole.Features(Poolings[parsed.GetRequiredValue(_pool)]);
        }
        catch
        {
            whole.Dispose();
            throw;
        }
    }

    private static bool IsOnnx(string name) => name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase);

    private Backbone LoadOnnx(string file, ParseResult parsed)
    {
        if (!File.Exists(file)) throw new UsageException($"There is no ONNX file {file}.");
        if (parsed.GetValue(_weights) is not null) throw new UsageException($"{file} has its weights in it. Leave --weights out.");
        if (Engine(parsed) == InferenceEngine.Torch) throw new UsageException($"{file} runs in ONNX Runtime only. Leave --engine out.");
        return parsed.GetValue(_preprocessing) is { } mode
            ? OnnxBackbone.Load(file, size => Modes[mode](size, Interpolation.Bilinear), parsed.GetValue(_layer), Size(parsed))
            : throw new UsageException(
                $"{file} does not say how photos are to be fed to it. Say so with --preprocessing: {string.Join(", ", Modes.Keys)} (torchvision for most PyTorch models, tf for most of TensorFlow).");
    }

    private int? Size(ParseResult parsed) =>
        parsed.GetValue(_size) is var size and not (< 8 or > 4096) ? size : throw new UsageException("Expected --size from 8 to 4096 pixels.");

    /// <summary>A trained model (a file or a run folder), or a catalogue network with its original head.</summary>
    public ImageClassifier Open(string model, ParseResult parsed, CancellationToken cancellation)
    {
        if (Path.Exists(model)) return ImageClassifier.Open(model);
        if (!BackboneCatalog.Contains(model))
        {
            throw new UsageException(
                $"There is no model '{model}': no such file or run folder, and no network of that name (`graft models` lists them).");
        }
        var backbone = Load(model, parsed, cancellation);
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
