using System.Globalization;
using System.Text.Json;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks;
using Graft.Networks.Onnx;

namespace Graft.Export;

/// <summary>A classifier as one ONNX graph, from a photo's pixels to the probabilities of the classes.</summary>
internal sealed class PhotoModel : OnnxGraphWriter
{
    /// <summary>The first version of the operators in which a tensor is split into a number of parts, and axes are inputs of reductions.</summary>
    private const long Opset = 18;

    private readonly ImageClassifier _classifier;
    private long _opset = Opset;
    private int _irVersion = OnnxModel.IrVersion;
    private readonly Dictionary<string, long> _otherOpsets = new(StringComparer.Ordinal);
    private readonly List<FunctionProto> _functions = [];
    private int _parts;

    private PhotoModel(ImageClassifier classifier) : base(classifier.BackboneName) => _classifier = classifier;

    /// <summary>Without metadata.</summary>
    /// <exception cref="GraftException">A part has no counterpart in ONNX, or the model has no features to give.</exception>
    public static ModelProto Of(ImageClassifier classifier, ExportOptions options) => new PhotoModel(classifier).Build(options);

    /// <summary>What the file says of itself.</summary>
    /// <param name="verification">Photos and their expected probabilities.</param>
    public static Dictionary<string, string> Metadata(ImageClassifier classifier, ExportOptions options, ModelVerification verification)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [ModelMetadata.FormatKey] = ModelMetadata.Format,
            [ModelMetadata.InputKey] = InputName(options.Input),
            [ModelMetadata.PrecisionKey] = LowerCase.Policy.ConvertName(options.Precision.ToString()),
            [ModelMetadata.ClassesKey] = JsonSerializer.Serialize(classifier.Classes),
            [ModelMetadata.PreprocessingKey] = JsonSerializer.Serialize(classifier.Blocks.Select(block => block.Preprocessing)),
            [ModelMetadata.BackboneKey] = classifier.BackboneName,
            [ModelMetadata.FingerprintKey] = string.Join('+', classifier.Blocks.Select(block => block.Fingerprint)),
            [ModelMetadata.LicenseKey] = License(classifier),
            [ModelMetadata.FactsKey] = JsonSerializer.Serialize(options.Facts),
            [ModelMetadata.VerificationKey] = verification.ToJson(),
            // As the loaders of Ultralytics read it: a dictionary of Python.
            ["names"] = $"{{{string.Join(", ", classifier.Classes.Select((name, index) => $"{index}: {PythonText(name)}"))}}}",
        };
        if (classifier.Temperature is { } temperature) metadata[ModelMetadata.TemperatureKey] = temperature.ToString("R", CultureInfo.InvariantCulture);
        if (options.Input != ExportInput.Tensor)
        {
            metadata["Image.BitmapPixelFormat"] = "Rgb8";
            metadata["Image.ColorSpaceGamma"] = "SRGB";
            metadata["Image.NominalPixelRange"] = "NominalRange_0_255";
        }
        else
        {
            // What else Ultralytics' loaders ask a classifier for.
            var preprocessing = classifier.Blocks[0].Preprocessing;
            (metadata["task"], metadata["stride"], metadata["batch"]) = ("classify", "1", "1");
            metadata["imgsz"] = string.Create(CultureInfo.InvariantCulture, $"[{preprocessing.InputHeight}, {preprocessing.InputWidth}]");
            metadata["Image.BitmapPixelFormat"] = preprocessing.ChannelOrder == ChannelOrder.Bgr ? "Bgr8" : "Rgb8";
            metadata["Image.ColorSpaceGamma"] = "SRGB";
        }
        return metadata;
    }

    /// <summary>The tensors that the networks of a graph with photos as its input take, one for each of the classifier's blocks.</summary>
    public static IReadOnlyList<string> NetworkInputs(ImageClassifier classifier) =>
        [.. classifier.Blocks.Select((_, index) => PhotoInput.Output(Prefix(index)))];

    /// <summary>Of the backbones' published weights; "unknown" of others.</summary>
    public static string License(ImageClassifier classifier) => string.Join(" + ", classifier.BackboneName.Split('+')
        .Select(name => BackboneCatalog.Contains(name) ? BackboneCatalog.Find(name).Weights[0].License : "unknown").Distinct());

    private static string Prefix(int block) => $"photo{(block == 0 ? "" : block + 1)}";

    private ModelProto Build(ExportOptions options)
    {
        var (blocks, head) = Parts();
        var features = new List<string>();
        if (options.Input != ExportInput.Tensor)
        {
            var photo = new PhotoInput(this, Photo(options.Input));
            features.AddRange(blocks.Select((block, index) =>
                Append(block.Network, block.Weights, photo.Add(block.Preprocessing, Prefix(index)))));
        }
        else
        {
            var preprocessing = blocks[0].Preprocessing;
            if (blocks.Any(block => block.Preprocessing != preprocessing))
            {
                throw new GraftException(
                    $"The networks of {_classifier.BackboneName} take different pixels, so no single tensor can be the input. Export it with a photo as its input.");
            }
            Graph.Input.Add(Value(
                ModelMetadata.TensorInput, TensorProto.Types.DataType.Float, 1, 3, preprocessing.InputHeight, preprocessing.InputWidth));
            features.AddRange(blocks.Select(block => Append(block.Network, block.Weights, ModelMetadata.TensorInput)));
        }
        var joined = features is [var single] ? single : Node("Concat", "features/joined", [.. features], Of("axis", 1));
        if (options.Features)
        {
            var length = blocks.Sum(block => block.Network.OutputShape.ElementCount);
            if (head is null || blocks.Any(block => !block.Network.OutputShape.IsVector))
                throw new GraftException($"The model {_classifier.BackboneName} has no feature vector to give. Export it without features.");
            Node("Identity", ModelMetadata.FeaturesOutput, [joined]);
            Graph.Output.Add(Value(ModelMetadata.FeaturesOutput, TensorProto.Types.DataType.Float, 1, length));
        }
        if (_classifier.Novelty is { } novelty && novelty.Cut(_classifier.Refuse) is { } cut)
        {
            NoveltyGraph.Add(this, novelty, cut, joined);
            Graph.Output.Add(Value(ModelMetadata.UnlikenessOutput, TensorProto.Types.DataType.Float, 1));
        }
        var outputs = head is null ? joined : Append(head, _classifier.Weights, joined);
        var isSoftmax = _classifier.Network.Output.Operation is Activation { Function: ActivationFunction.Softmax };
        Node(isSoftmax ? "Identity" : "Softmax", ModelMetadata.ProbabilitiesOutput, [outputs], isSoftmax ? [] : [Of("axis", 1)]);
        Graph.Output.Insert(0, Value(ModelMetadata.ProbabilitiesOutput, TensorProto.Types.DataType.Float, 1, _classifier.Classes.Count));
        if (options.Input == ExportInput.PixelValues)
        {
            // Its softmax makes the probabilities of them again; the logarithm of 0 would be infinite.
            Node("Log", ModelMetadata.LogitsOutput, [Node("Max", "logits/above_0", [ModelMetadata.ProbabilitiesOutput, Scalar(float.Exp(-80))])]);
            Graph.Output.Insert(0, Value(ModelMetadata.LogitsOutput, TensorProto.Types.DataType.Float, 1, _classifier.Classes.Count));
        }
        var model = new ModelProto
        {
            IrVersion = _irVersion,
            ProducerName = "Graft",
            ProducerVersion = typeof(PhotoModel).Assembly.GetName().Version!.ToString(3),
            Graph = Graph,
            OpsetImport = { new OperatorSetIdProto { Version = _opset } },
            Functions = { _functions },
        };
        model.OpsetImport.AddRange(_otherOpsets.Select(import => new OperatorSetIdProto { Domain = import.Key, Version = import.Value }));
        return model;
    }

    internal static string InputName(ExportInput input) => input switch
    {
        ExportInput.Photo => ModelMetadata.PhotoInput,
        ExportInput.PixelValues => ModelMetadata.PixelValuesInput,
        _ => ModelMetadata.TensorInput,
    };

    /// <summary>Adds the input; returns the tensor of the photo's pixels, uint8 [1, height, width, 3].</summary>
    private string Photo(ExportInput input)
    {
        var name = InputName(input);
        if (input == ExportInput.Photo)
        {
            Graph.Input.Add(Value(name, TensorProto.Types.DataType.Uint8, 1, "height", "width", 3));
            return name;
        }
        Graph.Input.Add(Value(name, TensorProto.Types.DataType.Float, 1, 3, "height", "width"));
        return Node("Transpose", "pixel_values/image", [Node("Cast", "pixel_values/samples", [name], To(TensorProto.Types.DataType.Uint8))], Of("perm", [0, 2, 3, 1]));
    }

    /// <summary>What computes the features, and the rest; without a head of its own, the whole network and nothing.</summary>
    private (IReadOnlyList<Backbone> Blocks, Network? Head) Parts()
    {
        var network = _classifier.Network;
        if (_classifier.FeatureLayer is { } layer)
            return (_classifier.Blocks, network.Output.Name == layer ? null : network.StartAfter(layer));
        var first = network.Layers.FirstOrDefault(candidate => candidate.Name.StartsWith("head.", StringComparison.Ordinal));
        if (first is not { Inputs: [var before] }) return (_classifier.Blocks, null);
        var block = _classifier.Blocks[0];
        return ([Backbone.Of(block.Name, network.CutAfter(before), block.Weights, block.Preprocessing)], network.StartAfter(before));
    }

    /// <summary>Adds a network's nodes; returns the tensor that holds its output.</summary>
    private string Append(Network network, IWeights weights, string input)
    {
        if (network.Layers.Count == 1) return input;
        var prefix = $"part{++_parts}";
        if (network.Layers is not [_, { Operation: OnnxGraph graph } layer, ..])
            return OnnxInlining.Inline(Graph, new OnnxConversion(network, weights).Convert(), prefix, input, Opset);
        var model = ModelProto.Parser.ParseFrom(graph.Read(layer, weights));
        bool isChannelsLast;
        using (var session = OnnxGraphNetwork.Open(graph.Read(layer, weights))) isChannelsLast = OnnxGraphNetwork.ImageOf(session, network.Name).ChannelsLast;
        _opset = Math.Max(_opset, OnnxInlining.VersionOf(model));
        _irVersion = (int)Math.Max(_irVersion, model.IrVersion);
        foreach (var import in model.OpsetImport.Where(import => import.Domain is not ("" or "ai.onnx")))
            _otherOpsets[import.Domain] = Math.Max(import.Version, _otherOpsets.GetValueOrDefault(import.Domain));
        _functions.AddRange(model.Functions);
        if (isChannelsLast) input = Node("Transpose", $"{prefix}/channels_last", [input], Of("perm", [0, 2, 3, 1]));
        var output = OnnxInlining.Inline(Graph, model, prefix, input, _opset);
        if (isChannelsLast && network.ShapeOf(layer.Name).IsMap) output = Node("Transpose", $"{prefix}/channels_first", [output], Of("perm", [0, 3, 1, 2]));
        return layer == network.Output ? output : Append(network.StartAfter(layer.Name), weights, output);
    }

    private static ValueInfoProto Value(string name, TensorProto.Types.DataType type, params object[] sizes)
    {
        var shape = new TensorShapeProto();
        foreach (var size in sizes)
        {
            shape.Dim.Add(size is string symbol
                ? new TensorShapeProto.Types.Dimension { DimParam = symbol }
                : new TensorShapeProto.Types.Dimension { DimValue = (int)size });
        }
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = (int)type, Shape = shape } } };
    }

    private static string PythonText(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal).ReplaceLineEndings("\\n")}'";
}
