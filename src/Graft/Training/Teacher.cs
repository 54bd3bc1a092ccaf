using Graft.Data;
using Graft.Features;

namespace Graft.Training;

/// <summary>A trained model whose answers another network learns from.</summary>
internal interface ITeacher
{
    /// <summary>Equal for the same answers, and different otherwise.</summary>
    string Fingerprint { get; }

    /// <summary>Its answers to photos as they are, and to views of them that the student sees too.</summary>
    /// <param name="images">That can be read.</param>
    /// <param name="bank">Null for the photos alone.</param>
    /// <param name="withFeatures">Whether features are answered beside logits.</param>
    /// <exception cref="GraftException">A photo cannot be read any more.</exception>
    TeacherAnswers Answers(IReadOnlyList<LabeledImage> images, ViewBank? bank, bool withFeatures, FineTuningContext context, CancellationToken cancellation);
}

/// <summary>What a teacher says of photos.</summary>
/// <param name="Plain">Of each photo the logits and, where asked for, the features.</param>
/// <param name="Views">The same of each view.</param>
internal sealed record TeacherAnswers(IReadOnlyList<float[][]> Plain, IReadOnlyList<IReadOnlyList<float[][]>> Views, int CacheHits, int CacheMisses)
{
    /// <summary>The answer to the view of an example that an epoch sees.</summary>
    public IReadOnlyList<float[]> To(int example, int epoch) => (epoch == 0 || Views.Count == 0 ? Plain : Views[(epoch - 1) % Views.Count])[example];
}

/// <summary>Examples with targets of their own.</summary>
/// <param name="examples">Disposed of with these.</param>
/// <param name="targets">See <see cref="IExamples.TargetsOf"/>.</param>
internal sealed class AnnotatedExamples(IExamples examples, Func<int, int, IReadOnlyList<float[]>> targets) : IExamples, IDisposable
{
    public int Count => examples.Count;

    public bool TakesTime => examples.TakesTime;

    public int LabelOf(int index) => examples.LabelOf(index);

    public float WeightOf(int index) => examples.WeightOf(index);

    public IReadOnlyList<float[]> TargetsOf(int index, int epoch) => targets(index, epoch);

    public void Read(int index, int epoch, Span<float> input) => examples.Read(index, epoch, input);

    public void ReadBatch(IReadOnlyList<int> indices, int epoch, Span<float> inputs) => examples.ReadBatch(indices, epoch, inputs);

    public void Dispose() => (examples as IDisposable)?.Dispose();
}
