using Graft.Inference;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds classifiers to an app's services.</summary>
public static class GraftServiceCollectionExtensions
{
    /// <summary>
    /// Adds one <see cref="Classifier"/> for the whole app, which many requests may use at once. The file is opened when the classifier is first
    /// asked for, and closed with the app.
    /// </summary>
    /// <param name="path">A file that <c>graft export</c> or <c>model.Export</c> wrote.</param>
    /// <param name="options">By default one thread for each photo, as suits an app that answers several requests at once.</param>
    public static IServiceCollection AddGraftClassifier(this IServiceCollection services, string path, ClassifierOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return services.AddSingleton(_ => Classifier.Open(path, options ?? new() { Threads = 1 }));
    }

    /// <summary>The same for one of several classifiers, which <c>[FromKeyedServices("name")]</c> asks for.</summary>
    public static IServiceCollection AddKeyedGraftClassifier(this IServiceCollection services, string name, string path, ClassifierOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return services.AddKeyedSingleton(name, (_, _) => Classifier.Open(path, options ?? new() { Threads = 1 }));
    }
}
