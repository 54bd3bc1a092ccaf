using Graft.Classifiers;
using Graft.Imaging;
using Graft.Networks;
using Graft.Networks.Onnx;
using static TorchSharp.torch;

namespace Graft.Evaluation;

/// <summary>
/// Grad-CAM: which places of a photo speak for a class (Selvaraju et al. 2017, arXiv:1610.02391). Of the last map of a convolutional network
/// [channels, height, width], each channel counts by the mean of the class score's gradient over its places, (1), and the places' weighted sums,
/// where they are positive, are the heat, (2). After a global average and one linear layer that is the class activation map of Zhou et al. 2016,
/// divided by the number of places. The score is the class's output before softmax; of two classes, how far it exceeds the other's, as only that
/// decides. Up to the map the network runs in ONNX Runtime, after it in libtorch. Not for several threads at once.
/// </summary>
/// <remarks>Of a combination, the maps of its networks are added, each over the part of the photo that it sees.</remarks>
public sealed class GradCam : IDisposable
{
    /// <summary>Cells a side of the map of a combination.</summary>
    private const int JoinedCells = 64;

    private readonly List<Block> _blocks = [];

    /// <summary>Of a combination: from the joined features to the scores; null where a block's own layers end in them.</summary>
    private readonly TorchNetwork? _head;

    private readonly int _classes;

    /// <param name="model">Stays the caller's, and must outlive this.</param>
    /// <exception cref="GraftException">The model has no map after which only layers with a gradient follow; says why.</exception>
    public GradCam(ImageClassifier model)
    {
        _classes = model.Classes.Count;
        try
        {
            if (model.IsCombination)
            {
                foreach (var block in model.Blocks) _blocks.Add(new(block.Network, block.Weights, block.Preprocessing, block.Name));
                _head = Tail(ScoresOf(model.Network), model.Weights);
            }
            else
            {
                _blocks.Add(new(ScoresOf(model.Network), model.Weights, model.Preprocessing, model.BackboneName));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <param name="photo">Upright, of any size.</param>
    /// <param name="label">The number of the class to explain, from 0.</param>
    public HeatMap Explain(RgbImage photo, int label)
    {
        if (label < 0 || label >= _classes) throw new ArgumentOutOfRangeException(nameof(label), label, $"Expected a class from 0 to {_classes - 1}.");
        using var scope = NewDisposeScope();
        using var gradients = enable_grad();
        var maps = _blocks.Select(block => block.Map(photo)).ToList();
        var outputs = maps.Zip(_blocks, (map, block) => block.Rest.call(map)).ToList();
        var scores = (_head is null ? outputs[0] : _head.call(cat(outputs, 1))).flatten();
        var score = _classes == 2 ? scores[label] - scores[1 - label] : scores[label];
        var slopes = autograd.grad([score], maps);
        using var inference = no_grad();
        // Σ over the channels of mean gradient · activation: [1, channels, height, width] → [height, width].
        var heats = maps.Zip(slopes, (map, slope) => (slope.mean([2, 3], keepdim: true) * map).sum(1).squeeze(0).contiguous()).ToList();
        if (heats is [var only])
            return new((int)only.shape[1], (int)only.shape[0], Values(only.relu()), PhotoPart.SeenBy(_blocks[0].Preprocessing, photo.Width, photo.Height));
        return Joined([.. heats.Zip(_blocks, (heat, block) =>
            ((int)heat.shape[1], (int)heat.shape[0], Values(heat), PhotoPart.SeenBy(block.Preprocessing, photo.Width, photo.Height)))]);
    }

    public void Dispose()
    {
        foreach (var block in _blocks) block.Dispose();
        _head?.Dispose();
    }

    /// <summary>Each block's share of the score at a place is its map's value there, so that the shares add up.</summary>
    private static HeatMap Joined(IReadOnlyList<(int Width, int Height, float[] Values, PhotoPart Seen)> maps)
    {
        var heat = new float[JoinedCells * JoinedCells];
        for (var cell = 0; cell < heat.Length; cell++)
        {
            var (x, y) = ((cell % JoinedCells + 0.5) / JoinedCells, (cell / JoinedCells + 0.5) / JoinedCells);
            foreach (var (width, height, values, seen) in maps)
            {
                var (column, row) = ((x - seen.Left) / seen.Width, (y - seen.Top) / seen.Height);
                // Of maps of unequal size the same score is spread over more places of one.
                if (column is >= 0 and <= 1 && row is >= 0 and <= 1)
                    heat[cell] += (float)(HeatMap.Sample(values, width, height, column, row) * width * height / (seen.Width * seen.Height));
            }
            heat[cell] = Math.Max(0, heat[cell]);
        }
        return new(JoinedCells, JoinedCells, heat, PhotoPart.Whole);
    }

    private static float[] Values(Tensor tensor) => TorchNetwork.Values(tensor.contiguous()).ToArray();

    /// <summary>The network without a softmax at its end.</summary>
    private static Network ScoresOf(Network network) =>
        network.Output.Operation is Activation { Function: ActivationFunction.Softmax } ? network.CutBefore(network.Output.Name) : network;

    private static TorchNetwork Tail(Network network, IWeights weights)
    {
        if (network.Layers.FirstOrDefault(layer => layer.Operation is ClassifierOperation) is { } classifier)
        {
            var kind = classifier.Operation switch
            {
                NeighborVotes => "votes of nearest neighbors",
                GaussianBayes => "naive Bayes",
                SoftmaxVotes => "votes of several logistic regressions",
                _ => "a support vector machine with a Gaussian kernel",
            };
            throw new GraftException(
                $"There is no heat map of this model: its classifier is {kind}, which does not weigh the network's channels.")
            {
                Code = "no-heat-map-of-classifier",
                Remedy = "A softmax head, logistic regression, a linear support vector machine and the nearest class mean have one.",
            };
        }
        var tail = new TorchNetwork(network, weights);
        // Of the input alone there is to be a gradient.
        tail.TrainOnly(new HashSet<string>(), new HashSet<string>());
        return tail;
    }

    /// <summary>The last map with places after which the network can be cut.</summary>
    /// <exception cref="GraftException">There is none.</exception>
    private static Layer LastMap(Network network, string name)
    {
        if (network.Layers.Any(layer => network.ShapeOf(layer.Name).IsTokens))
        {
            throw new GraftException(
                $"There is no heat map of {name}: it is a vision transformer, whose last layers have no map of places, but tokens. Take a convolutional network.");
        }
        for (var index = network.Layers.Count - 1; index > 0; index--)
        {
            var layer = network.Layers[index];
            if (!IsCut(network, layer)) continue;
            // What only pools places or leaves them as they are comes after the map that is meant: of VGG the last convolution, not the pooling.
            while (layer.Operation is Pool or AdaptiveAveragePool or ZeroPadding or SamePadding or Dropout
                   && network[layer.Inputs[0]] is var before && IsCut(network, before))
            {
                layer = before;
            }
            return layer;
        }
        throw network.Layers.Any(layer => layer.Operation is OnnxGraph)
            ? new GraftException($"There is no heat map of {name}: the ONNX file is cut after its places are pooled.")
            {
                Code = "no-heat-map-of-vector",
                Remedy = "Cut it after its last map for one.",
            }
            : new GraftException($"There is no heat map of {name}: it has no map of places to lay over a photo.");
    }

    private static bool IsCut(Network network, Layer layer)
    {
        if (layer.Operation is Input || network.ShapeOf(layer.Name) is not { IsMap: true } shape || shape.Height * shape.Width == 1) return false;
        try
        {
            network.StartAfter(layer.Name);
            return true;
        }
        catch (GraftException)
        {
            // Another path leads around it.
            return false;
        }
    }

    /// <summary>A network in two parts: up to the last map, and after it.</summary>
    private sealed class Block : IDisposable
    {
        private readonly FrozenNetwork _upToMap;
        private readonly long[] _shape;

        public Block(Network network, IWeights weights, Preprocessing preprocessing, string name)
        {
            Preprocessing = preprocessing;
            var map = LastMap(network, name);
            _shape = [1, .. network.ShapeOf(map.Name).Sizes.Select(size => (long)size)];
            Rest = Tail(network.StartAfter(map.Name), weights);
            try
            {
                _upToMap = FrozenNetwork.Load(network.CutAfter(map.Name), weights);
            }
            catch
            {
                Rest.Dispose();
                throw;
            }
        }

        public Preprocessing Preprocessing { get; }

        public TorchNetwork Rest { get; }

        /// <summary>Of which the gradient is asked for.</summary>
        public Tensor Map(RgbImage photo)
        {
            var input = new float[Preprocessing.InputLength];
            Preprocessing.Apply(Preprocessing.Resize(photo), input);
            return tensor(_upToMap.Run(input), _shape).requires_grad_();
        }

        public void Dispose()
        {
            _upToMap.Dispose();
            Rest.Dispose();
        }
    }
}
