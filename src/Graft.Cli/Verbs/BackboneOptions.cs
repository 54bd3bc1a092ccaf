using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Classifiers;
using Graft.Imaging;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>The options that say which pretrained network is meant and how photos are fed to it.</summary>
internal sealed class BackboneOptions(string? description = null)
{
    /// <summary>The argument that names what <see cref="Open"/> opens.</summary>
    public static Argument<string> Model(bool orExported = false) => new("MODEL")
    {
        Description = orExported ? "A trained model, a run folder, an exported .onnx file, or a network of the catalog" : "A trained model, a run folder, or a network of the catalog",
    };

    private readonly Option<string?> _names = new("--backbone")
    {
        Description = description
            ?? $"The pretrained network (`graft models` lists them), several as a+b, or an .onnx file (default: {BackboneCatalog.Default})",
        HelpName = "NAME",
    };

    private readonly Option<string[]> _weights = new("--weights")
    {
        Description = "Pretrained weights of that network: a .safetensors, .pth, .keras or Keras .h5 file (FILE#PART for one of several sets in it); of a combination NAME=FILE for each",
        HelpName = "[NAME=]FILE",
    };

    private readonly Option<string[]> _size = new("--size")
    {
        Description = "Input size in pixels, if not the network's usual one",
        HelpName = "[NAME=]PIXELS",
    };

    private readonly Option<string[]> _preprocessing = new("--preprocessing")
    {
        Description = "How the weights' network was fed, if not as the catalog says: tf (samples from -1 to 1), caffe (blue, green, red less ImageNet's mean), "
            + "torch (ImageNet's mean and deviation), torchvision (the same after a center crop) or unit (0 to 1)",
        HelpName = "[NAME=]MODE",
    };

    private readonly Option<string[]> _fit = new("--fit")
    {
        Description = "What to do with photos of another shape, if not as the network's own rule says: crop (the shorter side fits), pad (the longer side "
            + "fits, the rest is the network's mean color) or stretch",
        HelpName = "[NAME=]RULE",
    };

    private readonly Option<string[]> _layer = new("--layer")
    {
        Description = "Take the features after this layer or block, not before the head",
        HelpName = "[NAME=]LAYER",
    };

    /// <summary>Adds the names of the networks, how they are fed, and where they are cut.</summary>
    public void AddAllTo(Command command)
    {
        command.Add(_names);
        AddTo(command);
        command.Add(_layer);
    }

    /// <summary>Adds how a network that is named elsewhere is fed.</summary>
    public void AddTo(Command command)
    {
        command.Add(_weights);
        command.Add(_size);
        command.Add(_preprocessing);
        command.Add(_fit);
    }

    public IReadOnlyList<Option> All => [_names, _weights, _size, _preprocessing, _fit, _layer];

    /// <summary>Whether a network is named.</summary>
    public bool IsNamed(ParseResult parsed) => parsed.GetValue(_names) is not null;

    /// <summary>The name of one of these options that is on the command line; null if none is.</summary>
    public string? FirstGiven(ParseResult parsed) =>
        All.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false })?.Name;

    /// <summary>The networks that the command line names, as it says; null if it says nothing of them.</summary>
    /// <param name="usual">The networks that are meant where it names none; null for the default one.</param>
    /// <exception cref="UsageException">An option for a network that is not named, or twice for one.</exception>
    public IReadOnlyList<BackboneRequest>? Requests(ParseResult parsed, IReadOnlyList<BackboneRequest>? usual = null)
    {
        if (FirstGiven(parsed) is null) return usual;
        var requests = parsed.GetValue(_names) is { } names ? BackboneRequests.Named(names) : usual ?? [new BackboneRequest()];
        CheckNames([.. requests.Select(request => request.Name)], parsed);
        return [.. requests.Select(request => Filled(request, requests.Count > 1, parsed))];
    }

    private BackboneRequest Filled(BackboneRequest request, bool isCombined, ParseResult parsed) => request with
    {
        Weights = Weights(request.Name, isCombined, parsed) ?? request.Weights,
        Size = Size(request.Name, parsed) ?? request.Size,
        Preprocessing = Mode(request.Name, parsed) ?? request.Preprocessing,
        Fit = FitOf(request.Name, parsed) ?? request.Fit,
        Layer = ValueFor(request.Name, _layer, parsed) ?? request.Layer,
    };

    /// <summary>Fetches published weights, with progress.</summary>
    public static Action<BackboneDefinition> Fetch(CancellationToken cancellation) => definition => FetchedWeights.Ensure(definition, cancellation);

    private string? Weights(string name, bool isCombined, ParseResult parsed)
    {
        var file = ValueFor(name, _weights, parsed, out var isNamed);
        return file is null || isNamed || !isCombined
            ? file
            : throw new UsageException($"Say which network of the combination {file} belongs to: --weights {name}={file}.");
    }

    private string? Mode(string name, ParseResult parsed) =>
        ValueFor(name, _preprocessing, parsed) is not { } mode ? null
        : PreprocessingModes.Names.Contains(mode) ? mode
        : throw new UsageException($"Expected --preprocessing {string.Join(", ", PreprocessingModes.Names)}, found '{mode}'.");

    private int? Size(string name, ParseResult parsed) =>
        ValueFor(name, _size, parsed) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is >= 8 and <= 4096 ? size
        : throw new UsageException($"Expected --size from 8 to 4096 pixels, found '{text}'.");

    private Fit? FitOf(string name, ParseResult parsed) => ValueFor(name, _fit, parsed) switch
    {
        null => null,
        "crop" => Fit.Crop,
        "pad" => Fit.Pad,
        "stretch" => Fit.Stretch,
        var rule => throw new UsageException($"Expected --fit crop, pad or stretch, found '{rule}'."),
    };

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
        value.Split('=', 2) is [var name, _] && (BackboneCatalog.Contains(name) || BackboneRequests.IsOnnx(name)) ? name : null;

    private void CheckNames(string[] names, ParseResult parsed)
    {
        foreach (var option in (Option<string[]>[])[_weights, _size, _preprocessing, _fit, _layer])
        {
            if ((parsed.GetValue(option) ?? []).FirstOrDefault(value => NameIn(value) is { } name && !names.Contains(name)) is { } stray)
                throw new UsageException($"{option.Name} {stray} is for a network that --backbone does not name.");
        }
    }

    /// <summary>Whether a model is an exported file, which knows what the options of networks say.</summary>
    public bool IsExported(string model, ParseResult parsed)
    {
        var isExported = model.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase);
        if (isExported && FirstGiven(parsed) is { } stray)
            throw new UsageException($"{stray} is for networks of the catalog. {model} is an exported model: leave {stray} out.");
        return isExported;
    }

    /// <summary>A trained model (a file or a run folder), or a catalog network with its original head.</summary>
    public ImageClassifier Open(string model, ParseResult parsed, CancellationToken cancellation)
    {
        if (Path.Exists(model))
        {
            if (FirstGiven(parsed) is { } stray)
                throw new UsageException($"{stray} is for networks of the catalog. {model} is a trained model, which knows it all: leave {stray} out.");
            if (File.Exists(model) && model.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase))
            {
                throw new GraftException(
                    $"{model} is an ONNX file, and a trained model is expected: a run folder, or the model.safetensors in it. An exported model answers with `graft predict {model} PHOTO` and `graft serve {model}`; "
                    + $"a network of your own is a backbone: `graft train PHOTOS --backbone {model}`.");
            }
            try
            {
                return ImageClassifier.Open(model);
            }
            catch (CheckpointException problem) when (File.Exists(model))
            {
                throw new GraftException($"{model} is no trained model: {problem.Message} Expected a run folder, or the model.safetensors in it.", problem);
            }
        }
        if (!BackboneCatalog.Contains(model))
        {
            throw new UsageException(
                $"There is no model '{model}': no such file or run folder, and no network of that name (`graft models` lists them).");
        }
        var request = new BackboneRequest { Name = model };
        CheckNames([model], parsed);
        var backbone = Filled(request, isCombined: false, parsed).Load(Fetch(cancellation));
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
